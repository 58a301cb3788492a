import { describe, expect, test } from "bun:test";
import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { silentLog } from "../../../src/core/log.ts";
import { failureFacts, retriesBefore } from "../../../src/models/call-facts.ts";
import { withFallback } from "../../../src/models/fallback.ts";
import { brokeOff, callFailure } from "../../../src/models/provider-error.ts";
import type { SpellModel } from "../../../src/models/service.ts";
import { failure, modelService, temporaryHome } from "../../support/model-service.ts";
import { type Answer, finish, ScriptedModel, says, sends, textParts } from "../agents/support.ts";

class Named extends ScriptedModel {
  constructor(
    override readonly provider: string,
    ...answers: Answer[]
  ) {
    super(answers);
  }
}

const CALLED = { provider: "first", modelId: "one" };
const fails =
  (error: unknown): Answer =>
  () => {
    throw error;
  };

const options = { prompt: [{ role: "user" as const, content: [{ type: "text" as const, text: "Hi" }] }] };

async function partsOf(model: SpellModel, more: object = {}) {
  const parts: LanguageModelV4StreamPart[] = [];
  const { stream } = await model.doStream({ ...options, ...more });
  for await (const part of stream) parts.push(part);
  return parts;
}

const last = (parts: LanguageModelV4StreamPart[]) => parts.at(-1)!;

describe("A chain of models", () => {
  test.each([
    ["a provider that is broken", callFailure(CALLED, "broken", { statusCode: 503 })],
    ["one that limits requests", callFailure(CALLED, "too many", { statusCode: 429 })],
    ["one that refuses the key", callFailure(CALLED, "no", { statusCode: 401 })],
    ["one that cannot be reached", callFailure(CALLED, "no way", { code: "network" })],
    ["one that takes too long", callFailure(CALLED, "slow", { code: "timeout" })],
    ["an answer that broke off before its first part", brokeOff(CALLED)],
  ])("goes on after %s, and tells who answered", async (_what, error) => {
    const [first, second] = [new Named("first", fails(error)), new Named("second", says("Hello"))];
    const parts = await partsOf(withFallback([first, second], silentLog));
    expect(parts.filter(({ type }) => type === "finish" || type === "error")).toHaveLength(1);
    expect(last(parts)).toMatchObject({
      type: "finish",
      providerMetadata: { llmspell: { provider: "second", model: "one" } },
    });
  });

  test.each([
    ["a bad request", callFailure(CALLED, "bad", { statusCode: 400 })],
    ["an unknown model", callFailure(CALLED, "unknown", { statusCode: 404 })],
    ["a content filter", callFailure(CALLED, "withheld")],
    ["a bug", new TypeError("undefined is not a function")],
  ])("does not go on after %s", async (_what, error) => {
    const [first, second] = [new Named("first", fails(error)), new Named("second", says("Hello"))];
    expect(last(await partsOf(withFallback([first, second], silentLog)))).toEqual({ type: "error", error });
    expect(second.requests).toEqual([]);
  });

  test("does not go on once something was said", async () => {
    const error = callFailure(CALLED, "broken", { statusCode: 503 });
    const [first, second] = [
      new Named("first", sends(...textParts("Half"), { type: "error", error })),
      new Named("second", says("Hello")),
    ];
    expect(last(await partsOf(withFallback([first, second], silentLog)))).toEqual({ type: "error", error });
    expect(second.requests).toEqual([]);
  });

  test("does not go on when the call was given up", async () => {
    const error = callFailure(CALLED, "broken", { statusCode: 503 });
    const [first, second] = [new Named("first", fails(error)), new Named("second", says("Hello"))];
    const abortSignal = AbortSignal.abort(new Error("stop"));
    expect(last(await partsOf(withFallback([first, second], silentLog), { abortSignal })).type).toBe("error");
    expect(second.requests).toEqual([]);
  });

  test("gives the last failure where nobody answers", async () => {
    const errors = [503, 429].map((statusCode) => callFailure(CALLED, "no", { statusCode }));
    const models = errors.map((error, i) => new Named(String(i), fails(error)));
    expect(last(await partsOf(withFallback(models, silentLog)))).toEqual({ type: "error", error: errors[1] });
  });

  test("tells the repetitions of all that were asked", async () => {
    const spent = (retries: number) => callFailure(CALLED, "no", { statusCode: 503, data: { retries } });
    const told = { ...finish(), providerMetadata: { llmspell: { retries: 1 } } } as LanguageModelV4StreamPart;
    const failing = () => [new Named("1", fails(spent(2))), new Named("2", fails(spent(3)))];
    const answering = new Named("3", sends({ type: "stream-start", warnings: [] }, ...textParts("Hi"), told));
    const parts = await partsOf(withFallback([...failing(), answering], silentLog));
    expect(retriesBefore(parts[0]!)).toBe(5);
    expect(last(parts)).toMatchObject({ providerMetadata: { llmspell: { provider: "3", retries: 6 } } });
    const end = last(await partsOf(withFallback(failing(), silentLog))) as { error: unknown };
    expect(failureFacts(end.error).retries).toBe(5);
  });

  test("tells who answered where the first did", async () => {
    const [first, second] = [new Named("first", sends(...textParts("Hi"), finish())), new Named("second")];
    expect(last(await partsOf(withFallback([first, second], silentLog)))).toMatchObject({
      providerMetadata: { llmspell: { provider: "first" } },
    });
  });
});

describe("The chain of a configuration", () => {
  const CHAIN = `
[providers.cloud]
provider_type = "openai"
api_key_env = "CLOUD_KEY"
default_model = "gpt-4o"
fallback = ["ci/x", "local/spell-mini"]
[providers.ci]
provider_type = "test"
[[providers.ci.responses]]
text = "from the test provider"`;

  test("leaves out what is not configured on this machine", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, CHAIN);
    const model = await models.resolve("cloud/gpt-4o");
    expect(model).toMatchObject({ provider: "ci", modelId: "x" });
    const { content, providerMetadata } = await model.doGenerate(options);
    expect(content).toEqual([{ type: "text", text: "from the test provider" }]);
    expect(providerMetadata?.llmspell).toEqual({ provider: "ci", model: "x" });
  });

  test("is replaced by what an agent names, and refuses unknown names at once", async () => {
    using home = temporaryHome();
    const { models } = await modelService(home, CHAIN);
    const none = await failure(() => models.resolve("cloud/gpt-4o", { fallback: [] }));
    expect(none.message).toContain("environment variable CLOUD_KEY is not set");
    const wrong = await failure(() => models.resolve("cloud/gpt-4o", { fallback: ["sea/x"] }));
    expect(wrong.code).toBe("not_found");
  });
});
