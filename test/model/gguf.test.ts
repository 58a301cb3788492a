import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../src/core/errors.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { text, texts, uint, writeGguf } from "../support/gguf.ts";
import { generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import { failureOf, greedy, specOf } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-gguf-"));
const client = new InferenceClient();
const whole = readFileSync(generateModel(directory, "phi3-q8_0"));
afterAll(async () => {
  await client.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const write = (bytes: Uint8Array): string => {
  const path = join(directory, "damaged.gguf");
  writeFileSync(path, bytes);
  return path;
};

function refusal(path: string): SpellError {
  try {
    readGguf(path);
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("It was taken");
}

/** With bytes of a little-endian number put in place of others. */
const patched = (at: number, value: bigint | number, bytes: 4 | 8): string => {
  const copy = Buffer.from(whole);
  if (bytes === 8) copy.writeBigUInt64LE(BigInt(value), at);
  else copy.writeUInt32LE(Number(value), at);
  return write(copy);
};

describe("readGguf", () => {
  test("tells what a file holds", () => {
    // models/spell-mini/README.md
    expect(readGguf(SPELL_MINI)).toMatchObject({
      architecture: "llama",
      name: "spell-mini",
      quantization: "Q8_0",
      contextTokens: 1024,
      licence: "MIT",
      parameterCount: 4_517_120,
      sizeBytes: 4_857_664,
      hasChatTemplate: true,
    });
  });

  test("names a file that is not there, a directory, and what is no GGUF", () => {
    expect(refusal(join(directory, "none.gguf"))).toMatchObject({ code: "not_found" });
    expect(refusal(directory)).toMatchObject({ code: "model_invalid" });
    expect(refusal(write(new Uint8Array(0))).message).toContain("it is not a GGUF file");
    expect(refusal(write(new TextEncoder().encode("PK\u0003\u0004 a zip"))).message).toContain(
      "it is not a GGUF file",
    );
    expect(refusal(patched(4, 1, 4)).message).toContain("GGUF version 1 is not 2 or 3");
  });

  test("refuses every truncation of a file", () => {
    const random = uniform(11);
    const lengths = [4, 8, 16, 23, 24, whole.length - 1, whole.length - 32, whole.length - 64];
    for (let i = 0; i < 400; i++) lengths.push(Math.floor(random() * whole.length));
    for (const length of lengths) {
      if (length > whole.length - 32) continue; // may only lack padding
      const error = refusal(write(whole.subarray(0, length)));
      expect(error.code).toBe("model_invalid");
    }
    expect(refusal(write(whole.subarray(0, whole.length >> 1))).message).toContain("truncated");
  });

  test("takes a link to a file for the file", () => {
    const link = join(directory, "link.gguf");
    symlinkSync(SPELL_MINI, link);
    expect(readGguf(link).name).toBe("spell-mini");
  });

  test("refuses counts, lengths and types that do not fit the file, without reading or allocating what they name", () => {
    for (const count of [1n << 63n, (1n << 64n) - 1n, 1n << 40n, 100_000n]) {
      expect(refusal(patched(8, count, 8)).code).toBe("model_invalid"); // tensors
      expect(refusal(patched(16, count, 8)).code).toBe("model_invalid"); // metadata entries
      expect(refusal(patched(24, count, 8)).code).toBe("model_invalid"); // length of the first key
    }
    const architecture = whole.indexOf("general.architecture") + "general.architecture".length;
    expect(refusal(patched(architecture, 99, 4)).message).toContain("unknown type 99");
    const tokens = whole.indexOf("tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".length;
    expect(refusal(patched(tokens + 8, 1n << 50n, 8)).message).toContain("tokenizer.ggml.tokens");
    const scores = whole.indexOf("tokenizer.ggml.scores") + "tokenizer.ggml.scores".length;
    expect(refusal(patched(scores + 8, 1n << 50n, 8)).message).toContain("tokenizer.ggml.scores");
  });

  test("refuses tensors that lie elsewhere, have other types or are larger than the file", () => {
    const tensor = whole.indexOf("output_norm.weight") + "output_norm.weight".length;
    expect(refusal(patched(tensor, 5, 4)).message).toContain("5 dimensions");
    expect(refusal(patched(tensor + 4, 1n << 60n, 8)).code).toBe("model_invalid");
    expect(refusal(patched(tensor + 4, 0, 8)).code).toBe("model_invalid");
    expect(refusal(patched(tensor + 12, 4, 4)).message).toContain("unknown type 4");
    expect(refusal(patched(tensor + 16, 32, 8)).message).toContain("is expected");
  });

  test("refuses values on which llama.cpp would end the process", () => {
    const value = (key: string) => whole.indexOf(key) + key.length + 4;
    for (const [key, wrong] of [
      ["phi3.block_count", 0],
      ["phi3.block_count", 513],
      ["phi3.embedding_length", 0],
      ["phi3.attention.head_count_kv", 0],
      ["phi3.attention.head_count", 4_000_000_000],
      ["phi3.context_length", 0],
      ["phi3.rope.dimension_count", 17],
      ["phi3.attention.layer_norm_rms_epsilon", 0xbf800000], // -1
    ] as const) {
      expect(refusal(patched(value(key), wrong, 4)).message).toContain(key);
    }
    const path = join(directory, "values.gguf");
    writeGguf(
      path,
      [text("general.architecture", "llama"), texts("tokenizer.ggml.tokens", ["a", "b", "a\0b"])],
      [],
    );
    expect(refusal(path).message).toContain("3 tokens of which only 2 differ");
    writeGguf(path, [text("general.architecture", "llama"), text("llama.rope.scaling.type", "spiral")], []);
    expect(refusal(path).message).toContain("rope.scaling.type");
    writeGguf(
      path,
      [
        text("general.architecture", "llama"),
        uint("llama.expert_count", 4),
        uint("llama.expert_used_count", 5),
      ],
      [],
    );
    expect(refusal(path).message).toContain("expert_used_count");
    writeGguf(path, [uint("llama.block_count", 1)], []);
    expect(refusal(path).message).toContain("architecture");
  });
});

describe("loading", () => {
  test("a damaged file is an error of the call, and the thread goes on", async () => {
    for (const [path, code] of [
      [join(directory, "none.gguf"), "not_found"],
      [write(whole.subarray(0, 1000)), "model_invalid"],
    ] as const) {
      const error = await failureOf(client.generate(specOf(path), greedy("Hello")));
      expect(error.code).toBe(code);
      expect(error.message).toContain(path);
    }
    expect(await client.count(specOf(SPELL_MINI), { text: "Hello" })).toBeGreaterThan(0);
  });

  test("a file whose parts are there but which llama.cpp refuses gives its reason", async () => {
    const copy = Buffer.from(whole);
    copy.write("blk.9", copy.indexOf("blk.1.attn_norm.weight"));
    const error = await failureOf(client.load(specOf(write(copy))));
    expect(error).toMatchObject({ code: "model_invalid" });
    expect(error.message).toContain("tensor 'blk.1.attn_norm.weight' not found");
  });

  test("a vocabulary without weights is no model", async () => {
    const vocabulary = join(import.meta.dir, "../../models/spell-mini/train/vocab.gguf");
    const error = await failureOf(client.load(specOf(vocabulary)));
    expect(error.message).toContain("vocabulary only");
  });
});
