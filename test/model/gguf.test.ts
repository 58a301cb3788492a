import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../src/core/errors.ts";
import { llamaLibraries } from "../../src/ffi/library.ts";
import { loadLlama } from "../../src/ffi/llama/library.ts";
import { Model } from "../../src/ffi/llama/model.ts";
import { InferenceClient } from "../../src/models/llamacpp/client.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { type Entry, flag, floats, int, ints, text, texts, uint, writeGguf } from "../support/gguf.ts";
import { generateModel, generateSplitModel, SPELL_MINI } from "../support/gguf-models.ts";
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

  test("refuses a file cut at any byte", () => {
    const path = join(directory, "small.gguf");
    const entries = [
      text("general.architecture", "llama"),
      uint("llama.block_count", 1),
      flag("tokenizer.ggml.add_bos_token", false),
      texts("tokenizer.ggml.tokens", ["a", "b"]),
      floats("tokenizer.ggml.scores", [0, 1]),
      ints("tokenizer.ggml.token_type", [1, 1]),
    ];
    const values = Float32Array.of(1, 2, 3, 4);
    const tensors = ["one", "two"].map((name) => ({ name, shape: [4], type: "F32" as const, values }));
    writeGguf(path, entries, tensors);
    const padding = 16; // behind the last tensor
    const lastNeeded = readFileSync(path).length - padding;
    truncateSync(path, lastNeeded);
    expect(readGguf(path).tensors.size).toBe(2);
    for (let length = lastNeeded - 1; length >= 0; length--) {
      truncateSync(path, length);
      expect(refusal(path).code).toBe("model_invalid");
    }
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

describe("readGguf refuses on which llama.cpp would end the process or come to no end:", () => {
  const path = join(directory, "made.gguf");
  const llama = [text("general.architecture", "llama")];
  const write = (...entries: Entry[]) => {
    writeGguf(path, [...llama, ...entries], []);
    return path;
  };
  const tokens = texts("tokenizer.ggml.tokens", ["a", "b", "c"]);
  const many = (count: number) => Array.from({ length: count }, (_, i) => flag(`k${i}`, true));

  test("more metadata entries or tensors than any model has", () => {
    expect(refusal(write(...many(20_000))).message).toContain("16384 metadata entries");
  });

  test("names, tokens and texts of enormous length, without taking them into memory", () => {
    const before = process.memoryUsage.rss();
    // a sparse file: 8 GiB of zeros behind a length
    const huge = join(directory, "huge.gguf");
    const length = 8 * 2 ** 30;
    const file = readFileSync(write(text("general.name", "n")));
    const at = file.indexOf("general.name") + "general.name".length + 4;
    file.writeBigUInt64LE(BigInt(length), at);
    writeFileSync(huge, file.subarray(0, at + 8));
    truncateSync(huge, at + 8 + length);
    expect(readGguf(huge).name).toHaveLength(4096);
    file.writeBigUInt64LE(BigInt(length), 24); // the first key's length
    writeFileSync(huge, file.subarray(0, at + 8));
    truncateSync(huge, at + 8 + length);
    expect(refusal(huge).message).toContain("metadata entry 0");
    rmSync(huge);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 << 20);
  });

  test("another byte order, nested arrays, a part number of another type", () => {
    const swapped = Buffer.from(readFileSync(write()));
    swapped.writeUInt32BE(3, 4);
    writeFileSync(path, swapped);
    expect(refusal(path).message).toContain("big-endian");
    const nested = Buffer.from(readFileSync(write(tokens)));
    nested.writeUInt32LE(9, nested.indexOf("tokenizer.ggml.tokens") + "tokenizer.ggml.tokens".length + 4);
    writeFileSync(path, nested);
    expect(refusal(path).message).toContain("unknown element type 9");
    expect(refusal(write(int("split.no", 0))).message).toContain('"split.no" has the type 5');
  });

  test("vocabularies whose arrays are short, of another type, or lack a token that is put around texts", () => {
    expect(refusal(write(tokens, floats("tokenizer.ggml.scores", [0, 0]))).message).toContain(
      "2 values for 3 tokens",
    );
    expect(refusal(write(tokens, floats("tokenizer.ggml.token_type", [1, 1, 1]))).message).toContain(
      "no array of the right type",
    );
    const t5 = [text("tokenizer.ggml.model", "t5"), tokens];
    expect(readGguf(write(...t5)).architecture).toBe("llama");
    expect(refusal(write(...t5, flag("tokenizer.ggml.add_bos_token", true))).message).toContain(
      '"bos" token',
    );
    expect(refusal(write(text("tokenizer.ggml.model", "bert"), tokens)).message).toContain('"bos" token');
  });

  test("a T5 whose decoder is deeper than its encoder, or without buckets of distances", () => {
    const t5 = (depth: number, buckets: number) => {
      const entries = [
        text("general.architecture", "t5"),
        uint("t5.block_count", 2),
        uint("t5.decoder_block_count", depth),
        uint("t5.attention.relative_buckets_count", buckets),
      ];
      writeGguf(path, entries, []);
      return path;
    };
    expect(readGguf(t5(2, 32)).architecture).toBe("t5");
    expect(refusal(t5(3, 32)).message).toContain("decoder_block_count");
    expect(refusal(t5(2, 0)).message).toContain("relative_buckets_count");
  });
});

describe("A model in parts", () => {
  const parts = generateSplitModel(directory, "phi3-q8_0", 3);
  const single = join(directory, "phi3-q8_0.gguf");

  test("is read as one and answers as one", async () => {
    const header = readGguf(parts[0]!);
    expect(header.files.map((file) => file.path)).toEqual(parts);
    expect(header.parameterCount).toBe(readGguf(single).parameterCount);
    expect([...header.tensors.keys()]).toEqual([...readGguf(single).tensors.keys()]);
    const [whole, split] = await Promise.all(
      [single, parts[0]!].map((path) => client.generate(specOf(path), greedy("bada", { maxTokens: 8 }))),
    );
    expect(split!.tokens).toEqual(whole!.tokens);
  });

  test("is named by its first part", () => {
    expect(refusal(parts[1]!)).toMatchObject({ hint: `Name the first part: ${parts[0]}` });
    const renamed = join(directory, "renamed.gguf");
    writeFileSync(renamed, readFileSync(parts[0]!));
    expect(refusal(renamed).message).toContain("one of 3 parts, and its name says otherwise");
  });

  test("is refused where a part is missing, of another set or damaged", () => {
    const bytes = parts.map((part) => readFileSync(part));
    const restore = (i: number) => writeFileSync(parts[i]!, bytes[i]!);
    rmSync(parts[2]!);
    expect(refusal(parts[0]!).message).toContain(`a part of it is missing: ${parts[2]}`);
    restore(2);
    writeFileSync(parts[1]!, bytes[2]!);
    expect(refusal(parts[0]!).message).toContain("it says to be part 3 where its name says 2");
    const lying = Buffer.from(bytes[1]!);
    lying.writeUInt16LE(2, lying.indexOf("split.count") + "split.count".length + 4);
    writeFileSync(parts[1]!, lying);
    expect(refusal(parts[0]!).message).toContain(`its "split.count" differs`);
    writeFileSync(parts[1]!, bytes[1]!.subarray(0, -64));
    expect(refusal(parts[0]!).message).toContain("truncated");
    const short = Buffer.from(bytes[0]!);
    const count = short.indexOf("split.tensors.count") + "split.tensors.count".length + 4;
    short.writeInt32LE(short.readInt32LE(count) + 1, count);
    writeFileSync(parts[0]!, short);
    restore(1);
    expect(refusal(parts[0]!).message).toContain(`its "split.tensors.count" differs`);
    restore(0);
    expect(readGguf(parts[0]!).files).toHaveLength(3);
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

  test("a vocabulary that lacks bytes is an error of the texts that have them", async () => {
    const path = join(directory, "few.gguf");
    const pieces = ["<unk>", "<s>", "</s>", "a", "\u2581"];
    writeGguf(
      path,
      [
        text("general.architecture", "llama"),
        text("tokenizer.ggml.model", "llama"),
        texts("tokenizer.ggml.tokens", pieces),
        floats("tokenizer.ggml.scores", [0, 0, 0, -1, -2]),
        ints("tokenizer.ggml.token_type", [2, 3, 3, 1, 1]),
      ],
      [],
    );
    const library = loadLlama((await llamaLibraries()).directory);
    using model = Model.load(library, path, {
      devices: [],
      gpuLayers: 0,
      contextTokens: 0,
      vocabularyOnly: true,
    });
    expect([...model.tokenize("aa", false, false)]).toEqual([4, 3, 3]);
    expect(() => model.tokenize("ab", false, false)).toThrow("no token for a byte of it");
  });

  test("a vocabulary without weights is no model", async () => {
    const vocabulary = join(import.meta.dir, "../../models/spell-mini/train/vocab.gguf");
    const error = await failureOf(client.load(specOf(vocabulary)));
    expect(error.message).toContain("vocabulary only");
  });
});
