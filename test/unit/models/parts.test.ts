/** How long parts of the memory are, for models whose keys and values take what their publishers' configurations say. */
import { expect, test } from "bun:test";
import type { GgufHeader } from "../../../src/models/llamacpp/gguf.ts";
import { partsFor, ropeChangesAt } from "../../../src/models/llamacpp/room-size.ts";

const GIB = 2 ** 30;

const headerOf = (numbers: Record<string, number>): GgufHeader =>
  ({
    architecture: "llama",
    metadata: new Map(Object.entries(numbers).map(([key, value]) => [`llama.${key}`, value])),
  }) as unknown as GgufHeader;

/** Llama 3.1 8B: 32 layers, 8 heads of 128 numbers in 16 bits, keys and values: 128 KiB a token. */
const LLAMA_8B = headerOf({
  embedding_length: 4096,
  block_count: 32,
  "attention.head_count": 32,
  "attention.head_count_kv": 8,
});
/** Llama 3.2 1B: 16 layers, 8 heads of 64 numbers: 32 KiB a token. */
const LLAMA_1B = headerOf({
  embedding_length: 2048,
  block_count: 16,
  "attention.head_count": 32,
  "attention.head_count_kv": 8,
});

const parts = (header: GgufHeader, longestTokens: number, freeBytes = 100 * GIB, contextTokens = 4096) =>
  partsFor(header, { longestTokens, contextTokens, running: 8, freeBytes });

test("Parts are 512 tokens long, doubled until the longest sequence fits", () => {
  expect(parts(LLAMA_1B, 100)).toMatchObject({ tokens: 512 });
  expect(parts(LLAMA_1B, 512)).toMatchObject({ tokens: 512 });
  expect(parts(LLAMA_1B, 513)).toMatchObject({ tokens: 1024 });
  expect(parts(LLAMA_1B, 2049)).toMatchObject({ tokens: 4096 });
});

test("Parts are no longer than a context, in llama.cpp's multiples of 256", () => {
  expect(parts(LLAMA_1B, 100, 100 * GIB, 200)).toMatchObject({ tokens: 256 });
  expect(parts(LLAMA_1B, 2500, 100 * GIB, 3000)).toMatchObject({ tokens: 3072 });
});

test("Sequences are kept beside those that run within 256 MiB, sixteen at most", () => {
  expect(parts(LLAMA_1B, 100)).toEqual({ count: 16, tokens: 512, bytes: GIB / 4 });
  expect(parts(LLAMA_1B, 1000)).toEqual({ count: 8, tokens: 1024, bytes: GIB / 4 });
  expect(parts(LLAMA_1B, 100, 100 * GIB, 256)).toEqual({ count: 24, tokens: 256, bytes: 24 * 2 ** 23 });
});

test("All parts together take 1 GiB at most, and a quarter of the free memory", () => {
  expect(parts(LLAMA_8B, 1024)).toEqual({ count: 8, tokens: 1024, bytes: GIB });
  expect(parts(LLAMA_8B, 1025)).toBeUndefined();
  expect(parts(LLAMA_8B, 512, 2 * GIB)).toEqual({ count: 8, tokens: 512, bytes: GIB / 2 });
  expect(parts(LLAMA_8B, 512, 2 * GIB - 1)).toBeUndefined();
});

test("Rotary factors change where the file says, else nowhere", () => {
  const phi3 = headerOf({ "rope.scaling.original_context_length": 4096 });
  expect([ropeChangesAt(phi3), ropeChangesAt(LLAMA_8B)]).toEqual([4096, Number.POSITIVE_INFINITY]);
});
