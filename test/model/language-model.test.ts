import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import { generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { ask, CALCULATOR, failureOf, partsOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-language-model-"));
const client = new InferenceClient();
const spellMini = createLlamaModel({ path: SPELL_MINI, id: "spell-mini", threads: 1, client });
const noisePath = generateModel(directory, "llama-f32");
const noise = createLlamaModel({ path: noisePath, id: "noise", threads: 1, client });
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

describe("the local model", () => {
  test("calls a tool, then answers from its result", async () => {
    const options = ask("What is 12*7+3?", { tools: [CALCULATOR] });
    const call = await spellMini.doGenerate(options);
    expect(call.finishReason.unified).toBe("tool-calls");
    const part = call.content[0]!;
    if (part.type !== "tool-call") throw new Error(`a ${part.type} instead of a tool call`);
    expect(part.toolName).toBe("calculator");
    expect(JSON.parse(part.input)).toEqual({ expression: "12*7+3" });

    options.prompt.push(
      { role: "assistant", content: [{ ...part, input: JSON.parse(part.input) }] },
      {
        role: "tool",
        content: [
          {
            type: "tool-result",
            toolCallId: part.toolCallId,
            toolName: part.toolName,
            output: { type: "json", value: { result: 87 } },
          },
        ],
      },
    );
    const parts = await partsOf((await spellMini.doStream(options)).stream);
    const text = parts.flatMap((p) => (p.type === "text-delta" ? [p.delta] : [])).join("");
    expect(text).toBe("The answer is 87.");
    expect(parts.at(-1)).toMatchObject({ type: "finish", finishReason: { unified: "stop" } });
    expect(parts.filter((p) => p.type === "text-delta").length).toBeGreaterThan(1);
  });

  test("streams every block with a start and an end, and ends with one finish part", async () => {
    for (const options of [ask("Hello!"), ask("What is 2+2?", { tools: [CALCULATOR] })]) {
      const parts = await partsOf((await spellMini.doStream(options)).stream);
      const types = parts.map((p) => p.type);
      expect(types.slice(0, 2)).toEqual(["stream-start", "response-metadata"]);
      expect(types.filter((t) => t === "finish" || t === "error")).toEqual(["finish"]);
      expect(types.at(-1)).toBe("finish");
      expect(types.filter((t) => t === "text-start").length).toBe(
        types.filter((t) => t === "text-end").length,
      );
    }
  });

  test("counts a call's prompt exactly as the call does", async () => {
    const options = ask("What is 12*7+3?", { tools: [CALCULATOR] });
    const counted = await spellMini.countTokens!(options);
    const { usage } = await spellMini.doGenerate(options);
    expect(usage.inputTokens.total).toBe(counted);
    expect(usage.inputTokens.noCache! + usage.inputTokens.cacheRead!).toBe(counted);
    expect(await spellMini.countTokens!(ask("What is 12*7+3?"))).toBeLessThan(counted);
  });

  test("of random weights still writes tool calls that fit the schema when it must call one", async () => {
    const options = ask("anything", {
      tools: [CALCULATOR],
      toolChoice: { type: "required" },
      maxOutputTokens: 400,
      temperature: 1,
    });
    for (const seed of [1, 2, 3]) {
      const { content, finishReason } = await noise.doGenerate({ ...options, seed });
      if (finishReason.unified === "length") continue; // a string that did not end in time is no call
      const call = content.find((part) => part.type === "tool-call")!;
      expect(call.toolName).toBe("calculator");
      expect(Object.entries(JSON.parse(call.input)).map(([k, v]) => [k, typeof v])).toEqual([
        ["expression", "string"],
      ]);
    }
  });

  test("keeps to a JSON schema", async () => {
    const schema = {
      type: "object" as const,
      properties: {
        size: { enum: ["small", "large"] },
        count: { type: "integer" as const, minimum: 0, maximum: 9 },
      },
      required: ["size", "count"],
      additionalProperties: false,
    };
    const { content } = await noise.doGenerate(
      ask("anything", {
        responseFormat: { type: "json", schema },
        maxOutputTokens: 200,
        temperature: 1,
        seed: 5,
      }),
    );
    if (content[0]?.type !== "text") throw new Error("no text");
    const value = JSON.parse(content[0].text);
    expect(["small", "large"]).toContain(value.size);
    expect(value.count).toBeWithin(0, 10);
  });

  test("stops at a stop sequence", async () => {
    const { content } = await spellMini.doGenerate(ask("What is your name?", { stopSequences: ["Ada"] }));
    const whole = await spellMini.doGenerate(ask("What is your name?"));
    const text = (c: typeof content) => (c[0]?.type === "text" ? c[0].text : "");
    expect(text(whole.content)).toContain("Ada");
    expect(text(content)).toBe(text(whole.content).split("Ada")[0]!);
  });

  test("says which option it does not know and refuses one of the wrong type", async () => {
    const { warnings } = await spellMini.doGenerate(
      ask("Hello!", { providerOptions: { llamacpp: { minp: 0.1 } } }),
    );
    expect(warnings).toEqual([{ type: "unsupported", feature: "providerOptions.llamacpp.minp" }]);
    const error = await failureOf(
      spellMini.doGenerate(ask("Hello!", { providerOptions: { llamacpp: { minP: "a" } } })),
    );
    expect(error.code).toBe("invalid_argument");
  });

  test("refuses content that is not text", async () => {
    const file = {
      type: "file" as const,
      mediaType: "image/png",
      data: { type: "data" as const, data: new Uint8Array(1) },
    };
    const error = await failureOf(spellMini.doGenerate({ prompt: [{ role: "user", content: [file] }] }));
    expect(error).toMatchObject({ code: "invalid_argument" });
    expect(error.message).toContain("image/png");
  });
});

describe("a stream", () => {
  const endings = (parts: { type: string }[]) =>
    parts.filter((p) => p.type === "finish" || p.type === "error");

  test("of a model that is not there ends with one error part", async () => {
    const missing = createLlamaModel({ path: join(directory, "missing.gguf"), id: "missing", client });
    const parts = await partsOf((await missing.doStream(ask("Hello!"))).stream);
    expect(endings(parts)).toMatchObject([{ type: "error", error: { code: "not_found" } }]);
    expect(parts.at(-1)!.type).toBe("error");
  });

  test("of a prompt that does not fit ends with one error part, which says by how much", async () => {
    const parts = await partsOf((await spellMini.doStream(ask("word ".repeat(2000)))).stream);
    expect(endings(parts)).toMatchObject([
      { error: { code: "context_overflow", data: { contextTokens: 1024 } } },
    ]);
  });

  test("that is aborted ends with one error part", async () => {
    const cancel = new AbortController();
    const { stream } = await noise.doStream(
      ask("Hello!", { abortSignal: cancel.signal, maxOutputTokens: 400 }),
    );
    const types: string[] = [];
    for await (const part of stream) {
      types.push(part.type);
      if (part.type === "text-delta") cancel.abort(new Error("enough"));
    }
    expect(types.filter((t) => t === "finish" || t === "error")).toEqual(["error"]);
  });

  test("whose reader leaves cancels the answer and frees the model for the next call", async () => {
    const { stream } = await noise.doStream(ask("Hello!", { maxOutputTokens: 450 }));
    for await (const part of stream) if (part.type === "text-delta") break;
    const { finishReason } = await noise.doGenerate(ask("Hello!", { maxOutputTokens: 3 }));
    expect(finishReason.unified).toBe("length");
  });
});
