/** Models of random weights under the templates of well-known families: what they call fits the tools' schemas. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JSONSchema7, LanguageModelV4FunctionTool } from "@ai-sdk/provider";
import Ajv from "ajv";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import type { SpellModel } from "../../src/models/service.ts";
import { GENERATED_MODELS, generateModel } from "../support/gguf-models.ts";
import { releaseFile } from "../support/llama-sources.ts";
import { ask } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-tool-calls-"));
const client = new InferenceClient();
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const TOOLS: LanguageModelV4FunctionTool[] = [
  {
    type: "function",
    name: "weather",
    description: "Tells the weather",
    inputSchema: {
      type: "object",
      properties: {
        city: { type: "string", maxLength: 12 },
        days: { type: "integer", minimum: 1, maximum: 7 },
        unit: { enum: ["C", "F"] },
        share: { type: "number", minimum: 0, maximum: 1 }, // llama.cpp's own rules have no bounds for these
      },
      required: ["city", "days", "share"],
    },
  },
  {
    type: "function",
    name: "note",
    description: "Keeps a note",
    inputSchema: {
      type: "object",
      properties: { tags: { type: "array", items: { type: "string", maxLength: 5 }, maxItems: 3 } },
      required: ["tags"],
    },
  },
];

const ajv = new Ajv();
const validators = new Map(TOOLS.map((tool) => [tool.name, ajv.compile(tool.inputSchema as JSONSchema7)]));

/**
 * Templates of the release, with the text that begins a call and one that ends its longest part. Both become single tokens
 * that the model likes, because noise would not come upon them otherwise.
 */
const FAMILIES: readonly [file: string, begin: string, end: string][] = [
  ["meta-llama-Llama-3.1-8B-Instruct", '{"name": "', '" } }'],
  ["Qwen-Qwen2.5-7B-Instruct", "<tool_call>\n", "}\n</tool_call>"],
  ["NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "<tool_call>\n", "}\n</tool_call>"],
  ["mistralai-Mistral-Nemo-Instruct-2407", "[TOOL_CALLS]", '"}}]'],
  ["google-gemma-4-31B-it", "<|tool_call>", '<|"|>'],
  ["Qwen3-Coder", "<tool_call>", "\n</parameter>\n"],
  ["ibm-granite-granite-4.0", "<tool_call>\n", "}\n</tool_call>"],
];

function familyModel(file: string, begin: string, end: string): SpellModel {
  const path = generateModel(directory, file, {
    ...GENERATED_MODELS["llama-f32"]!,
    contextTokens: 8192,
    chatTemplate: readFileSync(releaseFile(`models/templates/${file}.jinja`), "utf8"),
    renamedTokens: { "<tool_call>": begin, "</tool_call>": end },
    oftenTokens: ["<tool_call>", "</tool_call>"],
  });
  return createLlamaModel({ path, id: file, threads: 1, contextTokens: 8192, client });
}

async function callsOf(
  model: SpellModel,
  choice: "auto" | "required",
  seed: number,
  temperature: number,
  options: { parallelToolCalls?: boolean } = {},
) {
  const { content, finishReason } = await model.doGenerate(
    ask("anything", {
      tools: TOOLS,
      toolChoice: { type: choice },
      maxOutputTokens: 250,
      temperature,
      topK: 0,
      topP: 1,
      seed,
      providerOptions: { llamacpp: { thinking: false, ...options } },
    }),
  );
  const calls = content.flatMap((part) => (part.type === "tool-call" ? [part] : []));
  for (const { toolName, input } of calls) {
    const validate = validators.get(toolName);
    expect([toolName, input, validate?.(JSON.parse(input)), validate?.errors]).toEqual([
      toolName,
      input,
      true,
      null,
    ]);
  }
  const said = content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
  return { count: calls.length, said, isCut: finishReason.unified === "length" };
}

const made = new Map<string, number>();
const most = new Map<string, number>();

describe("a model of random weights", () => {
  test.each(FAMILIES)(
    "under the template of %s makes no call that does not fit its schema",
    async (file, begin, end) => {
      const model = familyModel(file, begin, end);
      const runs = [1, 2, 3, 4, 5].flatMap((seed) => [
        callsOf(model, "required", seed, 1),
        callsOf(model, "auto", seed, 1),
      ]);
      const outcomes = await Promise.all(runs);
      // an answer that ended by itself, where a call was demanded, has one, and nothing before it
      for (const [i, { count, said, isCut }] of outcomes.entries())
        if (i % 2 === 0 && !isCut) expect([count > 0, said]).toEqual([true, ""]);
      const counts = outcomes.map(({ count }) => count);
      made.set(
        file,
        counts.reduce((sum, count) => sum + count),
      );
      most.set(file, Math.max(...counts));
    },
    60_000,
  );

  test.each(FAMILIES)(
    "under the template of %s makes one call at most where it may not make several",
    async (file, begin, end) => {
      const model = familyModel(file, begin, end);
      const runs = [1, 2, 3].flatMap((seed) =>
        (["required", "auto"] as const).map((choice) =>
          callsOf(model, choice, seed, 1, { parallelToolCalls: false }),
        ),
      );
      for (const { count } of await Promise.all(runs)) expect(count).toBeLessThanOrEqual(1);
    },
    60_000,
  );

  test("made several calls in one answer under some, where it was free to", () => {
    expect([...most].filter(([, count]) => count > 1).map(([file]) => file)).not.toEqual([]);
  });

  test("made calls under most of them", () => {
    expect([...made.values()].filter((count) => count > 0).length).toBeGreaterThanOrEqual(5);
  });
});
