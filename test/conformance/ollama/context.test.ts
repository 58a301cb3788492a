/** A prompt that does not fit is an error, on servers that would cut it as well. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../support/model-service.ts";
import { says, withOllama } from "../../support/ollama/service.ts";
import type { FakeModel, Settings } from "../../support/ollama/types.ts";

const OLD = "0.9.6";

async function open(settings: Settings & { model?: FakeModel } = {}, toml = "") {
  const { model = {}, ...others } = settings;
  const box = await withOllama({ models: { "llama3:latest": model }, ...others }, toml);
  return Object.assign(box, { model: await box.models.resolve("ollama/llama3") });
}

const words = (count: number, word = "word"): string => Array(count).fill(word).join(" ");
const sent = (box: Awaited<ReturnType<typeof open>>) =>
  box.fake.bodies("/api/chat").map(({ options }) => (options as { num_ctx?: number }).num_ctx);

describe("The context of a model of Ollama", () => {
  test("is Ollama's choice where nobody names one", async () => {
    await using box = await open();
    await box.model.doGenerate({ prompt: says("Hello") });
    expect(sent(box)).toEqual([undefined]);
  });

  test("is asked for as context_size, an agent's context_window, or what the model was trained for at most", async () => {
    await using box = await open({ model: { trainedTokens: 2048 } }, "context_size = 1024");
    await box.model.doGenerate({ prompt: says("Hello") });
    await box.model.doGenerate({ prompt: says("Hello"), providerOptions: { ollama: { numCtx: 512 } } });
    await box.model.doGenerate({ prompt: says("Hello"), providerOptions: { ollama: { numCtx: 32_768 } } });
    expect(sent(box)).toEqual([1024, 512, 2048]);
  });

  test("is always named to a server that cuts in silence, and truncation is refused to all", async () => {
    await using old = await open({ version: OLD, model: { presetTokens: 3000 } });
    await old.model.doGenerate({ prompt: says("Hello") });
    expect(sent(old)).toEqual([3000]);
    await using other = await open({ version: OLD });
    await other.model.doGenerate({ prompt: says("Hello") });
    expect(sent(other)).toEqual([4096]);
    expect(other.fake.bodies("/api/chat")).toMatchObject([{ truncate: false, shift: false }]);
  });

  test("a prompt that the server refuses is an overflow with the server's numbers", async () => {
    await using box = await open({}, "context_size = 100");
    const error = await failure(() => box.model.doGenerate({ prompt: says(words(90)) }));
    expect(error.code).toBe("context_overflow");
    expect(error.message).toContain("the prompt of 121 tokens exceeds the context of 100 tokens");
    expect(error.data).toMatchObject({ promptTokens: 121, contextTokens: 100, overTokens: 22 });
    expect(error.hint).toContain("context_size");
  });

  test.each(["0.13.5", OLD])("what clearly cannot fit is not even sent (%s)", async (version) => {
    await using box = await open({ version }, "context_size = 100");
    const error = await failure(() => box.model.doGenerate({ prompt: says(words(150)) }));
    expect(error.code).toBe("context_overflow");
    expect(error.message).toContain("the prompt of at least 150 tokens exceeds the context of 100 tokens");
    expect(box.fake.bodies("/api/chat")).toEqual([]);
  });

  test("a prompt of which an old server read a part only is an error, not an answer", async () => {
    await using box = await open({ version: OLD }, "context_size = 100");
    const error = await failure(() => box.model.doGenerate({ prompt: says(words(90)) }));
    expect(box.fake.bodies("/api/chat")).toHaveLength(1);
    expect(error.code).toBe("context_overflow");
    expect(error.message).toContain("Ollama read only a part");
    expect(error.data).toMatchObject({ readTokens: 52, leastTokens: 90, contextTokens: 100 });
  });

  test("a prompt without white space that was cut is noticed by its length", async () => {
    await using box = await open({ version: OLD, answers: [{ text: ["?"] }] }, "context_size = 100");
    const error = await failure(() => box.model.doGenerate({ prompt: says("7Zx/q+".repeat(400)) }));
    expect(error.code).toBe("context_overflow");
  });

  test("a prompt that fits is no overflow on any server", async () => {
    for (const version of ["0.13.5", OLD]) {
      await using box = await open({ version }, "context_size = 100");
      const { usage } = await box.model.doGenerate({ prompt: says(words(70)) });
      expect(usage.inputTokens.total).toBe(96);
    }
  });

  test("once seen at work, is the limit of later prompts", async () => {
    await using box = await open({ contextTokens: 200 });
    await box.model.doGenerate({ prompt: says("Hello") });
    const error = await failure(() => box.model.doGenerate({ prompt: says(words(250)) }));
    expect(error.data).toMatchObject({ contextTokens: 200 });
    expect(box.fake.bodies("/api/chat")).toHaveLength(1);
  });
});
