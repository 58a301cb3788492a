/** Expected texts: RFC 4648 section 10, and coreutils (`base64 -w0`, `basenc --base64url -w0`) on the same bytes. */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bench, failure, removeDirectories } from "./support.ts";

afterAll(removeDirectories);

async function base64(params: Record<string, unknown>): Promise<Record<string, unknown>> {
  return (await bench().tools.execute("base64-encoder", params)).result as Record<string, unknown>;
}

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);
const coreutils = (command: string[], bytes: Uint8Array) =>
  Bun.spawnSync(command, { stdin: bytes }).stdout.toString();

describe("base64-encoder", () => {
  test.each([
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg=="],
    ["fooba", "Zm9vYmE="],
    ["foobar", "Zm9vYmFy"],
  ])("turns %p into %p and back", async (plain, encoded) => {
    expect(await base64({ operation: "encode", input: plain })).toEqual({
      output: encoded,
      encoded,
      variant: "standard",
      binary: false,
    });
    expect(await base64({ operation: "decode", input: encoded })).toEqual({
      output: plain,
      decoded: plain,
      variant: "standard",
      binary: false,
    });
  });

  test("agrees with coreutils on every byte, in both alphabets", async () => {
    const standard = coreutils(["base64", "-w0"], ALL_BYTES);
    const urlSafe = coreutils(["basenc", "--base64url", "-w0"], ALL_BYTES);
    expect((await base64({ operation: "encode", input: ALL_BYTES })).output).toBe(standard);
    expect((await base64({ operation: "encode", input: ALL_BYTES, variant: "url-safe" })).output).toBe(
      urlSafe,
    );
    const hex = Buffer.from(ALL_BYTES).toString("hex");
    expect(await base64({ operation: "encode", input: hex, binary_input: true })).toMatchObject({
      output: standard,
      binary: true,
    });
    expect(await base64({ operation: "decode", input: urlSafe, variant: "url-safe" })).toMatchObject({
      output: hex,
      binary: true,
    });
  });

  test("skips line ends and does without padding", async () => {
    const wrapped = coreutils(["base64", "-w20"], new TextEncoder().encode("Grüße an alle, die das lesen"));
    expect((await base64({ operation: "decode", input: wrapped })).output).toBe(
      "Grüße an alle, die das lesen",
    );
    expect((await base64({ operation: "decode", input: "Zm9vYg" })).output).toBe("foob");
  });

  test.each(["Zm9v!", "Zm=v", "Z", "_-8="])("refuses %p", async (input) => {
    expect((await failure(base64({ operation: "decode", input }))).message).toBe(
      "Cannot decode Base64: the input is not valid standard Base64",
    );
  });

  test("refuses hex that is none, and needs an input", async () => {
    expect((await failure(base64({ operation: "encode", input: "xyz", binary_input: true }))).code).toBe(
      "invalid_argument",
    );
    expect((await failure(base64({ operation: "encode" }))).message).toBe(
      "Missing required parameter 'input'",
    );
  });

  test("reads and writes files within the sandbox", async () => {
    const { tools, home } = bench();
    writeFileSync(join(home, "in.bin"), ALL_BYTES);
    const call = (params: Record<string, unknown>) => tools.execute("base64-encoder", params);
    const encoded = await call({ operation: "encode", input_file: "in.bin", output_file: "out.txt" });
    expect(readFileSync(join(home, "out.txt"), "utf8")).toBe(coreutils(["base64", "-w0"], ALL_BYTES));
    expect(encoded.result).toEqual({ file_path: "out.txt", file_size: 344, variant: "standard" });
    expect(encoded.metadata).toMatchObject({ file_path: "out.txt", file_size: 344, variant: "standard" });
    await call({ operation: "decode", input_file: "out.txt", output_file: "back.bin" });
    expect(new Uint8Array(readFileSync(join(home, "back.bin")))).toEqual(ALL_BYTES);
    for (const params of [
      { operation: "encode", input_file: "/etc/passwd" },
      { operation: "encode", input: "x", output_file: "/etc/x" },
      { operation: "encode", input: "x", output_file: "../x" },
    ]) {
      expect((await failure(call(params))).code).toBe("permission_denied");
    }
  });

  test("decodes a text without losing a byte order mark", async () => {
    expect((await base64({ operation: "decode", input: "77u/YQ==" })).output).toBe("\ufeffa");
  });
});
