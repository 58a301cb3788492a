import { dlopen, FFIType, type Pointer, toArrayBuffer } from "bun:ffi";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { EncoderContext } from "../../src/ffi/llama/encoder.ts";
import { type LlamaLibrary, loadLlama } from "../../src/ffi/llama/library.ts";
import { Model } from "../../src/ffi/llama/model.ts";
import { convertDirectory } from "../../src/models/convert/convert.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { createLlamaModel } from "../../src/models/llamacpp/model.ts";
import { writeT5Directory } from "../support/t5.ts";
import { T5Forward, tabledGelu } from "../support/t5-forward.ts";
import { ask, CALCULATOR, failureOf, greedy, partsOf, specOf } from "./support.ts";

const TEXTS = [
  "translate the words English to German: is it a so?",
  "so",
  "ba be bi bo bu, da de di do du! ".repeat(12), // beyond the distances that have a bucket of their own
];
const ANSWER = [0, 85, 62, 5, 3, 40, 41, 77, 12, 12, 90, 33, 8, 150, 3, 61, 62, 63, 100, 101, 9, 10];
const LONG_ANSWER = [...ANSWER, ...ANSWER, ...ANSWER, ...ANSWER, ...ANSWER, ...ANSWER, ...ANSWER];

const directory = mkdtempSync(join(tmpdir(), "llmspell-t5-"));
const client = new InferenceClient();
let library: LlamaLibrary;
let logitsOf: (context: EncoderContext, count: number) => Float32Array;

beforeAll(async () => {
  const libraries = await llamaLibraries();
  library = loadLlama(libraries.directory);
  const name = readdirSync(libraries.directory).find((file) => /^libllama\.(v|[\d.]*so|dylib)/.test(file))!;
  const { symbols } = dlopen(join(libraries.directory, name), {
    llama_get_logits_ith: { args: [FFIType.ptr, FFIType.i32], returns: FFIType.ptr },
  });
  logitsOf = (context, count) => {
    const pointer = symbols.llama_get_logits_ith(context.pointer as Pointer, 0);
    return new Float32Array(toArrayBuffer(pointer as Pointer, 0, count * 4).slice(0));
  };
});
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

async function converted(name: string): Promise<{ source: string; path: string }> {
  const source = writeT5Directory(directory, name);
  const path = join(directory, `${name}.gguf`);
  if (!existsSync(path)) await convertDirectory(source, path, { type: "F32" });
  return { source, path };
}

/** The largest difference of the logits after each token of the answers, and the largest logit. */
function compare(forward: T5Forward, model: Model): { worst: number; largest: number } {
  using context = EncoderContext.open(model, 512, 1);
  let worst = 0;
  let largest = 0;
  for (const text of TEXTS) {
    const tokens = model.tokenize(text, true, true);
    const answer = text.length > 100 ? LONG_ANSWER : ANSWER;
    const expected = forward.logits(forward.encode([...tokens]), answer);
    expect(context.encode(tokens)).toBe("done");
    for (const [position, token] of answer.entries()) {
      expect(context.decodeToken(token, position)).toBe("done");
      logitsOf(context, model.vocabularySize).forEach((logit, i) => {
        worst = Math.max(worst, Math.abs(logit - expected[position]![i]!));
        largest = Math.max(largest, Math.abs(logit));
      });
    }
  }
  expect(largest).toBeGreaterThan(1);
  return { worst, largest };
}

describe("the logits of a converted T5 are those of an independent computation", () => {
  test("with ReLU, and a head tied to the embeddings", async () => {
    const { source, path } = await converted("t5-f32");
    using model = Model.load(library, path, { gpuLayers: 0 });
    expect(compare(new T5Forward(source), model).worst).toBeLessThan(1e-5);
  });

  test("with gated GELU, and a head of its own", async () => {
    const { source, path } = await converted("flan-t5-f32");
    using model = Model.load(library, path, { gpuLayers: 0 });
    const { worst, largest } = compare(new T5Forward(source), model);
    expect(worst / largest).toBeLessThan(1e-3);
    // ggml's GELU has 16 bits; apart from that:
    expect(compare(new T5Forward(source, tabledGelu), model).worst).toBeLessThan(1e-3);
  });
});

describe("a model with an encoder", () => {
  const load = async (name = "t5-f32") => {
    const { source, path } = await converted(name);
    const language = createLlamaModel({ path, id: name, threads: 1, client });
    return { source, path, language, spec: { ...specOf(path), contextTokens: 0 } };
  };

  for (const name of ["t5-f32", "flan-t5-f32"])
    test(`${name} answers greedily with what the independent computation chooses`, async () => {
      const { source, spec } = await load(name);
      const forward = new T5Forward(source, tabledGelu);
      for (const text of TEXTS) {
        const tokens = await client.tokenize(spec, text, true, true);
        const request = { prompt: { text }, sampling: {}, stops: [], reusePrefix: true, maxTokens: 32 };
        const result = await client.generate(spec, request);
        expect(result.promptTokens).toBe(tokens.length);
        expect(result.tokens).toEqual(forward.greedy([...tokens], 0, 1, 32));
      }
    });

  test("answers calls made at once one after another, each its own text", async () => {
    const { spec } = await load();
    const call = (text: string) => client.generate(spec, greedy(text, { maxTokens: 24 }));
    const alone: number[][] = [];
    for (const text of TEXTS) alone.push((await call(text)).tokens);
    const together = await Promise.all([...TEXTS, ...TEXTS].map(call));
    expect(together.map(({ tokens }) => tokens)).toEqual([...alone, ...alone]);
  });

  test("gets a conversation as plain text, and streams its answer", async () => {
    const { spec, language } = await load();
    const options = ask("so is it", { maxOutputTokens: 12 });
    const plain = await client.generate(spec, greedy("You are Ada.\n\nso is it", { maxTokens: 12 }));
    const parts = await partsOf((await language.doStream(options)).stream);
    const text = parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : [])).join("");
    expect(text).toBe(plain.text);
    expect(parts.at(-1)).toMatchObject({ type: "finish", finishReason: { unified: "length" } });
    expect(await language.countTokens!(options)).toBe(plain.promptTokens);
  });

  test("ends at a stop text, which is not part of the answer", async () => {
    const { spec } = await load("flan-t5-f32");
    const { text } = await client.generate(spec, greedy(TEXTS[0]!, { maxTokens: 16 }));
    const stop = text.slice(4, 7);
    const stopped = await client.generate(spec, greedy(TEXTS[0]!, { maxTokens: 16, stops: [stop] }));
    expect(stopped.end).toBe("stop");
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
  });

  test("refuses a text that is longer than its context, and ends where the context is full", async () => {
    const { spec } = await load();
    const small = { ...spec, contextTokens: 16 };
    const failure = await failureOf(client.generate(small, greedy("ba be bi ".repeat(20))));
    expect(failure).toMatchObject({ code: "context_overflow", data: { contextTokens: 16 } });
    const { end, tokens } = await client.generate(small, greedy("ba be bi", { maxTokens: 100 }));
    expect({ end, tokens: tokens.length }).toEqual({ end: "context", tokens: 16 });
  });

  test("refuses tools: it has no format to call them in", async () => {
    const { language } = await load();
    const failure = await failureOf(language.doGenerate(ask("What is 2+2?", { tools: [CALCULATOR] })));
    expect(failure).toMatchObject({ code: "invalid_argument" });
  });

  test("keeps to a grammar", async () => {
    const { spec } = await load();
    const prompt = { text: "so", grammar: 'root ::= ("ba" | "be") " "? [0-9] [0-9] "!"' };
    const { text, end } = await client.generate(spec, { ...greedy(""), prompt, maxTokens: 20 });
    expect(text).toMatch(/^(ba|be) ?[0-9][0-9]!$/);
    expect(end).toBe("end");
  });

  test("is cancelled between tokens, and the next call is answered", async () => {
    const { spec } = await load("flan-t5-f32");
    const cancel = new AbortController();
    const call = client.generate(spec, greedy(TEXTS[0]!, { maxTokens: 500 }), {
      signal: cancel.signal,
      onEvent: ({ type }) => type === "text" && cancel.abort(new Error("enough")),
    });
    expect(await failureOf(call)).toMatchObject({ message: "enough" });
    expect((await client.generate(spec, greedy("so", { maxTokens: 3 }))).tokens).toHaveLength(3);
    const stats = (await client.stats()).find(({ path }) => path === spec.path);
    expect(stats).toMatchObject({ queued: 0, running: 0, heldTokens: 0 });
  });
});
