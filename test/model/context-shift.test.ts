import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import { generateModel } from "../support/gguf-models.ts";
import references from "./reference/shift.json";
import { ask, greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-shift-"));
const path = generateModel(directory, "llama-f32");
const spec = { ...specOf(path), contextTokens: 255, flashAttention: false };
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

describe("a full context that is shifted", () => {
  for (const { prompt, keepTokens, tokens, sure } of references)
    test(`gives what llama-server gives, token for token, with the first ${keepTokens} kept: ${prompt}`, async () => {
      const request = greedy(prompt, {
        maxTokens: 500,
        reusePrefix: false,
        contextShift: { keepTokens },
      });
      const result = await client.generate(spec, request);
      expect(result.tokens.slice(0, sure)).toEqual(tokens.slice(0, sure));
    });

  test("leaves those alone that hold the same beginning", async () => {
    const talk = (more: string) => `${"one two three four five ".repeat(6)}${more}`;
    const shifted = greedy(talk("and"), { maxTokens: 500, contextShift: { keepTokens: 4 } });
    const beside = greedy(talk("but"), { maxTokens: 150 });
    const alone = await client.generate(spec, { ...beside, reusePrefix: false });
    await client.generate(spec, greedy(talk("to begin with"), { maxTokens: 1 }));
    const [long, other] = await Promise.all([client.generate(spec, shifted), client.generate(spec, beside)]);
    expect(long.tokens.length).toBe(500);
    expect(other.cachedTokens).toBeGreaterThan(20);
    expect(other.tokens).toEqual(alone.tokens);
  });

  test("goes on though others take the room in between", async () => {
    const tight = { ...spec, contextTokens: 64 };
    const requests = Array.from({ length: 8 }, (_, i) =>
      greedy(`P ${i} abc`, { maxTokens: 200, ...(i % 2 === 0 ? { contextShift: { keepTokens: 4 } } : {}) }),
    );
    const results = await Promise.all(requests.map((request) => client.generate(tight, request)));
    for (const [i, { tokens, end }] of results.entries())
      if (i % 2 === 0) expect(end === "limit" ? tokens.length : end).toBe(end === "limit" ? 200 : "end");
      else {
        const alone = await client.generate(tight, { ...requests[i]!, reusePrefix: false });
        expect([tokens, end]).toEqual([alone.tokens, "context"]);
      }
  });

  test("is no beginning for later requests: what it holds is not what its tokens say", async () => {
    const prompt = greedy("la mu si", { maxTokens: 400, contextShift: {} });
    await client.generate(spec, prompt);
    const later = await client.generate(spec, { ...prompt, maxTokens: 1 });
    expect(later.cachedTokens).toBe(0);
  });

  test("comes by a setting of the model or of a call, and by nothing else", async () => {
    const model = (contextShift: boolean) =>
      createLlamaModel({
        path,
        id: "noise",
        contextTokens: 255,
        threads: 1,
        device: "cpu",
        contextShift,
        client,
      });
    const call = ask("la mu si", { maxOutputTokens: 400, temperature: 0 });
    const asked = { ...call, providerOptions: { llamacpp: { contextShift: true } } };
    const lengths = [];
    for (const result of [
      await model(false).doGenerate(call),
      await model(true).doGenerate(call),
      await model(false).doGenerate(asked),
    ])
      lengths.push([result.finishReason.raw, result.usage.outputTokens.total! > 255]);
    expect(lengths).toEqual([
      ["context", false],
      ["limit", true],
      ["limit", true],
    ]);
  });
});
