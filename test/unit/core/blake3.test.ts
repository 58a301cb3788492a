/** Judged by vectors published with BLAKE3 (test_vectors.json: byte i is i % 251). */
import { describe, expect, test } from "bun:test";
import { blake3 } from "@noble/hashes/blake3.js";
import { blake3Hasher, blake3Hex } from "../../../src/core/blake3.ts";

const PUBLISHED: readonly (readonly [length: number, hash: string])[] = [
  [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  [1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"],
  [2, "7b7015bb92cf0b318037702a6cdd81dee41224f734684c2c122cd6359cb1ee63"],
  [1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"],
  [1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"],
  [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
  [2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"],
  [31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"],
  [102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"],
];

const input = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 251);

describe("BLAKE3", () => {
  test.each(PUBLISHED)("of %d bytes is as published", async (length, hash) => {
    expect(await blake3Hex(input(length))).toBe(hash);
  });

  test("lets others have their turn within a large content", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const hash = await blake3Hex(input(8 << 20));
    clearInterval(timer);
    expect(hash).toBe(blake3(input(8 << 20)).toHex());
    expect(turns).toBeGreaterThan(3);
  });

  test("of many contents at once, longer than a slice too, is that of each", async () => {
    const contents = [0, 1, 1025, 2 ** 20, 2 ** 20 + 1, 3_000_000, 3_000_001].map(input);
    const expected = contents.map((content) => blake3(content).toHex());
    for (let round = 0; round < 2; round++)
      expect(await Promise.all(contents.map((content) => blake3Hex(content)))).toEqual(expected);
  });

  test("comes from pieces as from the whole, of several at once", async () => {
    const content = input(100_000);
    const hashers = await Promise.all([blake3Hasher(), blake3Hasher()]);
    for (let from = 0; from < content.length; from += 999)
      for (const hasher of hashers) hasher.update(content.subarray(from, from + 999));
    for (const hasher of hashers) expect(hasher.digest().toHex()).toBe(blake3(content).toHex());
  });
});
