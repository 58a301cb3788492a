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

/** Beyond the sure tokens it depends on the processor's rounding what follows, with llama-server too. */
function compare(model: string, prompt: string, tokens: readonly number[]): void {
  const one = (references as Reference[]).find((r) => r.model === model && r.prompt === prompt)!;
  expect(tokens.slice(0, one.sure)).toEqual(one.tokens.slice(0, one.sure));
  if (one.sure === one.tokens.length) expect(tokens.length).toBe(one.tokens.length);
}

describe("greedy output equals llama-server's, token for token", () => {
  test("and what is compared is most of it", () => {
    for (const model of MODELS) {
      const own = (references as Reference[]).filter((one) => one.model === model);
      const sure = own.reduce((sum, one) => sum + one.sure, 0);
      const all = own.reduce((sum, one) => sum + one.tokens.length, 0);
      expect(sure).toBeGreaterThanOrEqual(model.endsWith("q8_0") || model === "spell-mini" ? 80 : all);
    }
  });

  for (const model of MODELS) {
    test(model, async () => {
      const path = model in GENERATED_MODELS ? generateModel(directory, model) : SPELL_MINI;
      for (const prompt of PROMPTS) {
        const result = await client.generate(
          specOf(path),
          greedy(prompt, { maxTokens: OUTPUT_TOKENS, reusePrefix: false }),
        );
        compare(model, prompt, result.tokens);
      }
    });
  }

  test("on a prompt that is handed over in several batches", async () => {
    const path = generateModel(directory, "llama-f32");
    const spec = { ...specOf(path), batchTokens: 16, ubatchTokens: 8 };
    const prompt = PROMPTS[3]!;
    const result = await client.generate(spec, greedy(prompt, { maxTokens: OUTPUT_TOKENS }));
    expect(result.promptTokens).toBeGreaterThan(32);
    compare("llama-f32", prompt, result.tokens);
  });

  test("when a prompt continues the one before and its prefix is taken from the context", async () => {
    const path = generateModel(directory, "llama-f32");
    const prompt = PROMPTS[3]!;
    await client.generate(specOf(path), greedy(prompt.slice(0, 150), { maxTokens: 3 }));
    const result = await client.generate(specOf(path), greedy(prompt, { maxTokens: OUTPUT_TOKENS }));
    expect(result.cachedTokens).toBeGreaterThan(10);
    compare("llama-f32", prompt, result.tokens);
  });
});
