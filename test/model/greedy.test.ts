import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { GENERATED_MODELS, generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { MODELS, OUTPUT_TOKENS, PROMPTS, type Reference } from "./cases.ts";
import references from "./reference/greedy.json";
import { greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-greedy-"));
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const expected = (model: string, prompt: string) =>
  (references as Reference[]).find((r) => r.model === model && r.prompt === prompt)!.tokens;

describe("greedy output equals llama-server's, token for token", () => {
  for (const model of MODELS) {
    test(model, async () => {
      const path = model in GENERATED_MODELS ? generateModel(directory, model) : SPELL_MINI;
      for (const prompt of PROMPTS) {
        const result = await client.generate(
          specOf(path),
          greedy(prompt, { maxTokens: OUTPUT_TOKENS, reusePrefix: false }),
        );
        expect(result.tokens).toEqual(expected(model, prompt));
      }
    });
  }

  test("on a prompt that is handed over in several batches", async () => {
    const path = generateModel(directory, "llama-f32");
    const spec = { ...specOf(path), batchTokens: 16, ubatchTokens: 8 };
    const prompt = PROMPTS[3]!;
    const result = await client.generate(spec, greedy(prompt, { maxTokens: OUTPUT_TOKENS }));
    expect(result.promptTokens).toBeGreaterThan(32);
    expect(result.tokens).toEqual(expected("llama-f32", prompt));
  });

  test("when a prompt continues the one before and its prefix is taken from the context", async () => {
    const path = generateModel(directory, "llama-f32");
    const prompt = PROMPTS[3]!;
    await client.generate(specOf(path), greedy(prompt.slice(0, 150), { maxTokens: 3 }));
    const result = await client.generate(specOf(path), greedy(prompt, { maxTokens: OUTPUT_TOKENS }));
    expect(result.cachedTokens).toBeGreaterThan(10);
    expect(result.tokens).toEqual(expected("llama-f32", prompt));
  });
});
