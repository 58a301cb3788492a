import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { checkCharsmap } from "../../../src/models/convert/charsmap.ts";
import { releaseFile } from "../../support/llama-sources.ts";
import { uniform } from "../../support/random.ts";

/** The one that Google's multilingual vocabularies have, from a vocabulary of llama.cpp's release. */
function published(): Buffer {
  const file = readFileSync(releaseFile("models/ggml-vocab-nomic-bert-moe.gguf"));
  const key = "tokenizer.ggml.precompiled_charsmap";
  const at = file.indexOf(key) + key.length + 8; // after the types of the array and its elements
  return file.subarray(at + 8, at + 8 + Number(file.readBigUInt64LE(at)));
}

const check = (bytes: Uint8Array) => checkCharsmap(bytes, (rule) => new RangeError(rule));

function isAccepted(bytes: Uint8Array): boolean {
  try {
    check(bytes);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Whether llama.cpp reads outside the map for a text: `normalize_prefix` of src/llama-vocab.cpp, from every byte on. */
function leadsOut(map: Buffer, text: Uint8Array): boolean {
  const units = map.readUInt32LE(0) / 4;
  const replacements = map.subarray(4 + units * 4);
  const isOutside = (index: number) => index >>> 0 >= units;
  const unit = (index: number) => map.readUInt32LE(4 + (index >>> 0) * 4);
  const base = (node: number) => (node >>> 10) << ((node & 512) >>> 6);
  for (let start = 0; start < text.length; start++) {
    let index = base(unit(0));
    for (let at = start; at < text.length; at++) {
      const byte = text[at]!;
      if (byte === 0) break;
      index ^= byte;
      if (isOutside(index)) return true;
      const node = unit(index);
      if ((node & 0x800000ff) >>> 0 !== byte) break;
      index ^= base(node);
      if ((node & 256) === 0) continue;
      if (isOutside(index) || (unit(index) & 0x7fffffff) >= replacements.length) return true;
    }
  }
  return false;
}

describe("checkCharsmap", () => {
  test("accepts a published map", () => {
    expect(published().length).toBeGreaterThan(200_000);
    check(published());
  });

  test("refuses one that is cut off in its trie or its texts", () => {
    const whole = published();
    for (const length of [0, 3, 4, 1000, whole.readUInt32LE(0) + 4, whole.length - 1])
      expect(isAccepted(whole.subarray(0, length))).toBe(false);
  });

  test("lets no damaged map through that leads llama.cpp out of it", () => {
    const random = uniform(5);
    const whole = published();
    const trieBytes = whole.readUInt32LE(0);
    let accepted = 0;
    for (let round = 0; round < 20; round++) {
      const map = Buffer.from(whole);
      for (let n = 0; n < 3; n++)
        map.writeUInt32LE(Math.floor(random() * 2 ** 32), 4 + 4 * Math.floor((random() * trieBytes) / 4));
      if (!isAccepted(map)) continue;
      accepted++;
      const texts = Array.from({ length: 20_000 }, () => Math.floor(random() * 256));
      expect(leadsOut(map, Uint8Array.from(texts))).toBe(false);
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(20);
  });
});
