/**
 * Expected hashes: coreutils (`md5sum`, `sha1sum`, …) run on the same bytes; for BLAKE3 the official test vectors of
 * BLAKE3-team/BLAKE3, test_vectors.json (first 32 bytes).
 */
import { afterAll, describe, expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

const TEXTS = ["", "abc", "Grüße, 世界 🌍\n", "x".repeat(1_000_003)];

function coreutils(algorithm: string, bytes: Uint8Array): string {
  const { stdout } = Bun.spawnSync([`${algorithm}sum`], { stdin: bytes });
  return stdout.toString().split(" ")[0]!;
}

async function hash(params: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { tools } = bench();
  return (await tools.execute("hash-calculator", { operation: "hash", ...params })).result as Record<
    string,
    unknown
  >;
}

describe("hash-calculator hash", () => {
  test.each(["md5", "sha1", "sha256", "sha384", "sha512"])("%s agrees with coreutils", async (algorithm) => {
    for (const input of TEXTS) {
      const expected = coreutils(algorithm, new TextEncoder().encode(input));
      expect(await hash({ algorithm, input })).toEqual({ algorithm, hash: expected, format: "hex" });
    }
  });

  test.each([
    [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
    [1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"],
    [1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"],
    [1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"],
    [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
    [3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"],
    [7169, "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817"],
  ])("blake3 of %d bytes is the official vector", async (length, expected) => {
    const input = Uint8Array.from({ length }, (_, i) => i % 251);
    expect((await hash({ algorithm: "blake3", input })).hash).toBe(expected);
  });

  test("takes other spellings, and sha256 for unknown names and none", async () => {
    const sha256 = coreutils("sha256", new TextEncoder().encode("abc"));
    for (const algorithm of ["SHA-256", "sha256", "whirlpool", undefined]) {
      expect(await hash({ input: "abc", ...(algorithm === undefined ? {} : { algorithm }) })).toEqual({
        algorithm: "sha256",
        hash: sha256,
        format: "hex",
      });
    }
    expect((await hash({ data: "abc", algorithm: "sha-1" })).hash).toBe(
      coreutils("sha1", Buffer.from("abc")),
    );
  });

  test("hashes bytes that are not UTF-8 as they are", async () => {
    const input = new Uint8Array([0xff, 0x00, 0xc3]);
    expect((await hash({ algorithm: "md5", input })).hash).toBe(coreutils("md5", input));
  });

  test("writes base64 when asked", async () => {
    // printf abc | openssl dgst -md5 -binary | base64
    expect(await hash({ algorithm: "md5", input: "abc", format: "base64" })).toEqual({
      algorithm: "md5",
      hash: "kAFQmDzST7DWlj99KOF/cg==",
      format: "base64",
    });
  });

  test("hashes a file of many chunks, also one larger than max_file_size", async () => {
    const { tools, home } = bench((draft) => {
      draft.tools.file_operations.max_file_size = 1000;
    });
    const path = join(home, "large.bin");
    writeFileSync(path, "start");
    truncateSync(path, 5_000_001);
    for (const algorithm of ["sha256", "sha512"]) {
      const result = await tools.execute("hash-calculator", {
        operation: "hash",
        algorithm,
        file: "large.bin",
      });
      const { stdout } = Bun.spawnSync([`${algorithm}sum`, path]);
      expect(result.primary).toBe(stdout.toString().split(" ")[0]!);
    }
  });

  test("refuses files above 100 MB, and files outside the allowed paths", async () => {
    const { tools, home } = bench();
    writeFileSync(join(home, "huge.bin"), "");
    truncateSync(join(home, "huge.bin"), 100_000_001);
    const call = (file: string) =>
      tools.execute("hash-calculator", { operation: "hash", input_type: "file", file });
    expect((await failure(call("huge.bin"))).message).toContain("file size limit of 100000000 bytes");
    expect((await failure(call("/etc/passwd"))).code).toBe("permission_denied");
    expect((await failure(call("none.bin"))).code).toBe("not_found");
  });

  test("needs something to hash", async () => {
    expect((await failure(hash({}))).message).toBe("Missing required parameter 'input'");
    expect((await failure(hash({ input_type: "file" }))).message).toBe("Missing required parameter 'file'");
    expect((await failure(hash({ operation: "compute" }))).message).toBe(
      "Invalid operation: 'compute'. Allowed values: hash, verify",
    );
  });
});

describe("hash-calculator verify", () => {
  const verify = async (expected_hash: string, more: Record<string, unknown> = {}) => {
    const params = { operation: "verify", algorithm: "md5", input: "abc", expected_hash, ...more };
    return bench().tools.execute("hash-calculator", params);
  };
  const md5 = "900150983cd24fb0d6963f7d28e17f72";

  test("compares without regard to case; a mismatch is a result", async () => {
    expect(await verify(md5.toUpperCase())).toMatchObject({
      success: true,
      result: { verified: true, actual: md5 },
    });
    const wrong = "0".repeat(32);
    expect(await verify(wrong)).toMatchObject({
      success: true,
      result: { verified: false, algorithm: "md5", expected: wrong, actual: md5 },
    });
    expect(await verify("kAFQmDzST7DWlj99KOF/cg==", { expected_format: "base64" })).toMatchObject({
      result: { verified: true, actual: "kAFQmDzST7DWlj99KOF/cg==" },
    });
    expect(await verify(md5.slice(0, 8))).toMatchObject({ result: { verified: false } });
  });

  test("refuses what cannot be a hash, and needs one", async () => {
    expect((await failure(verify("not hex"))).message).toBe("Invalid expected_hash: it is not hex: not hex");
    const none = bench().tools.execute("hash-calculator", { operation: "verify", input: "abc" });
    expect((await failure(none)).message).toBe("Missing required parameter 'expected_hash'");
  });
});
