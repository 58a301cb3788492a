/** Expected sums are worked out by hand from the vendors' price pages. */
import { describe, expect, test } from "bun:test";
import { costOf, priceOf } from "../../../../src/models/calls/prices.ts";
import { modelService, temporaryHome } from "../../../support/model-service.ts";

async function configured(toml = "") {
  using home = temporaryHome();
  return (await modelService(home, toml)).config.current;
}

const tokens = (promptTokens: number, completionTokens: number, cachedTokens = 0) => ({
  promptTokens,
  completionTokens,
  cachedTokens,
});

describe("The price of a call", () => {
  test("is the list price: 1000 and 500 tokens of gpt-4o-mini cost 0.045 cents", async () => {
    const price = priceOf(await configured(), "openai", "openai", "gpt-4o-mini");
    expect(costOf(price, tokens(1000, 500))).toBeCloseTo(0.00045, 12);
  });

  test("is less for tokens that the provider had in its cache", async () => {
    const price = priceOf(await configured(), "anthropic", "anthropic", "claude-sonnet-4-5");
    // 200 fresh at $3, 800 cached at $0.30, 100 out at $15, a million each
    expect(costOf(price, tokens(1000, 100, 800))).toBeCloseTo(0.0006 + 0.00024 + 0.0015, 12);
  });

  test.each([
    ["openai", "gpt-4o-2024-08-06", 2.5],
    ["anthropic", "claude-3-5-haiku-latest", 0.8],
    ["anthropic", "claude-haiku-4-5-20251001", 1],
    ["gemini", "gemini-2.0-flash-001", 0.1],
    ["openrouter", "openai/gpt-4o-mini", 0.15],
    ["openrouter", "anthropic/claude-opus-4-5", 5],
  ])("of %s/%s is its family's", async (type, model, input) => {
    expect(priceOf(await configured(), type, type, model)).toMatchObject({ input });
  });

  test.each([
    ["openai", "gpt-9"],
    ["perplexity", "sonar"],
    ["openrouter", "nobody/model"],
    ["openai", "toString"],
  ])("of %s/%s is unknown, not nothing", async (type, model) => {
    const price = priceOf(await configured(), type, type, model);
    expect(price).toBeUndefined();
    expect(costOf(price, tokens(1000, 1000))).toBeUndefined();
  });

  test("is nothing for models of this machine", async () => {
    const price = priceOf(await configured(), "local", "llamacpp", "spell-mini");
    expect(price).toBe("free");
    expect(costOf(price, tokens(1000, 1000))).toBeUndefined();
  });

  test("is what the configuration says: the provider's own, then by provider and model, then by model", async () => {
    const config = await configured(`
      [models.prices]
      "gpt-4o" = { input = 1, output = 2 }
      "mine/gpt-4o" = { input = 3, output = 4, cached_input = 0.5 }
      [providers.own]
      provider_type = "openai"
      [providers.own.prices]
      "gpt-4o" = { input = 5, output = 6 }
      "*" = { input = 7, output = 8 }
    `);
    expect(priceOf(config, "openai", "openai", "gpt-4o")).toEqual({ input: 1, output: 2 });
    expect(priceOf(config, "mine", "openai", "gpt-4o")).toEqual({ input: 3, output: 4, cachedInput: 0.5 });
    expect(priceOf(config, "own", "openai", "gpt-4o")).toEqual({ input: 5, output: 6 });
    expect(priceOf(config, "own", "openai", "else")).toEqual({ input: 7, output: 8 });
  });
});
