/** The estimate from a header beside the sizes that llama.cpp itself reports of its buffers. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machineMemory } from "../../src/core/machine-memory.ts";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { type LlamaLibrary, loadLlama } from "../../src/ffi/llama/library.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { Loaded } from "../../src/models/llamacpp/loaded.ts";
import { memoryNeeded, refuseTooLarge } from "../../src/models/llamacpp/memory.ts";
import { type ModelSpec, REQUEST_WORDS } from "../../src/models/llamacpp/protocol.ts";
import { Turns } from "../../src/models/llamacpp/turns.ts";
import { GENERATED_MODELS, generateModel } from "../support/gguf-models.ts";
import { generateT5 } from "../support/t5.ts";
import { failureOf, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-memory-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const INFO = 2; // GGML_LOG_LEVEL_INFO
const WARN = 3;
const WITHIN = 0.1;
const MIB = 2 ** 20;

const native = loadLlama((await llamaLibraries()).directory);

/** Bytes of the buffers that llama.cpp's log names while a model and its context are made. */
function reported(spec: ModelSpec): { weights: number[]; cache: number; compute: number } {
  let log = "";
  const library: LlamaLibrary = {
    ...native,
    takeLog() {
      const text = native.takeLog();
      log += text;
      return text;
    },
  };
  native.fn.spell_log_capture(INFO);
  const words = new Int32Array(new SharedArrayBuffer(REQUEST_WORDS * 4));
  using loaded = Loaded.load(library, spec, words, new Turns());
  loaded.prepare();
  library.takeLog();
  native.fn.spell_log_capture(WARN);
  const sizes = [...log.matchAll(/ (model|KV|RS|compute|output) buffer size = +([\d.]+) MiB/g)];
  const bytesOf = (...kinds: string[]) =>
    sizes.filter(([, kind]) => kinds.includes(kind!)).map(([, , mib]) => Number(mib) * MIB);
  const sum = (...kinds: string[]) => bytesOf(...kinds).reduce((a, b) => a + b, 0);
  return { weights: bytesOf("model"), cache: sum("KV", "RS"), compute: sum("compute", "output") };
}

const BIGGER = {
  ...GENERATED_MODELS["llama-f32"]!,
  width: 512,
  layers: 3,
  heads: 8,
  kvHeads: 4,
  headWidth: 64,
  feedForward: 1536,
  contextTokens: 8192,
};
const WIDE = {
  ...GENERATED_MODELS["qwen2-f16"]!,
  width: 256,
  feedForward: 2048,
  heads: 8,
  headWidth: 32,
  contextTokens: 8192,
};
const models = new Map([
  ...Object.keys(GENERATED_MODELS).map((name) => [name, generateModel(directory, name)] as const),
  ["bigger", generateModel(directory, "bigger", BIGGER)],
  ["wide", generateModel(directory, "wide", WIDE)],
]);

describe("The memory a model needs is within a tenth of what llama.cpp reports:", () => {
  const settings: readonly Partial<ModelSpec>[] = [
    {},
    { contextTokens: 8192 },
    { contextTokens: 2048, flashAttention: false },
    { contextTokens: 4096, ubatchTokens: 128, sequences: 1 },
    { contextTokens: 1000, sequences: 32, flashAttention: true },
  ];
  for (const [name, path] of models)
    test(name, () => {
      const header = readGguf(path);
      for (const setting of settings) {
        const spec = { ...specOf(path), ...setting };
        const actual = reported(spec);
        const { weightsBytes, cacheBytes, computeBytes, isBound } = memoryNeeded(header, spec);
        expect(isBound).toBe(false);
        expectNear(cacheBytes, actual.cache, 0.001);
        expectNear(weightsBytes + cacheBytes + computeBytes, weightsBytes + actual.cache + actual.compute);
        // on some processors weights are rearranged, and what is mapped of the file is counted besides
        if (actual.weights.length === 1) expectNear(weightsBytes, actual.weights[0]!);
        else expect(weightsBytes).toBeLessThan(actual.weights.reduce((a, b) => a + b, 0));
      }
    });
});

function expectNear(value: number, actual: number, within = WITHIN): void {
  expect(Math.abs(value / actual - 1)).toBeLessThan(within);
}

test("An encoder-decoder's memory is within a tenth of what llama.cpp reports", () => {
  const path = generateT5(directory, "flan-t5-f32");
  for (const contextTokens of [256, 512]) {
    const spec = { ...specOf(path), contextTokens };
    const actual = reported(spec);
    const { cacheBytes, computeBytes } = memoryNeeded(readGguf(path), spec);
    expectNear(cacheBytes, actual.cache, 0.02); // the log has two digits
    expectNear(computeBytes, actual.compute);
  }
});

describe("A model that needs more memory than is free", () => {
  const path = models.get("bigger")!;
  const header = readGguf(path);
  // 3 layers of 4 heads, keys and values of 64 numbers of 2 bytes: 3072 bytes a token
  const contextTokens = 1_000_000;

  test("is refused with the numbers and what can be done", () => {
    const free = { totalBytes: 8e9, freeBytes: 1e9, boundBy: "machine" as const };
    const refuse = () => refuseTooLarge(header, { ...specOf(path), contextTokens }, free);
    expect(refuse).toThrow(/needs \d+ MB of memory \(weights 44 MB, context 3073 MB, .*1000 MB are free/);
    const error = (() => {
      try {
        refuse();
      } catch (thrown) {
        return thrown as Record<string, unknown>;
      }
      return {};
    })();
    expect(error).toMatchObject({ code: "limit", data: { limit: "memory", freeBytes: 1e9 } });
    expect(error.hint).toContain("Set a smaller context_size");
    expect(error.hint).toContain("check_memory = false");
    refuseTooLarge(header, specOf(path), free);
  });

  test("is refused before anything is allocated, and others go on", async () => {
    const client = new InferenceClient();
    try {
      const tokens = Math.ceil((2 * machineMemory().totalBytes) / 3072);
      const error = await failureOf(client.load({ ...specOf(path), contextTokens: tokens }));
      expect(error.code).toBe("limit");
      expect(error.message).toContain("Cannot load the model: it needs");
      expect(await client.count(specOf(path), { text: "Hello" })).toBeGreaterThan(0);
    } finally {
      await client.dispose();
    }
  });
});
