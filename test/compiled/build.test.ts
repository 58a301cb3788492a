/** What the build makes for another machine, by `readelf`; what it refuses, in one line each. */
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifySet } from "../../native/build.ts";
import { TARGETS } from "../../native/targets.ts";

const ROOT = join(import.meta.dir, "../..");
const TARGET = "linux-arm64";
const EXECUTABLE = join(ROOT, "dist", `llmspell-${TARGET}`);
const STAGED = join(ROOT, "build/native", TARGET);
const canCross = Bun.which("aarch64-linux-gnu-g++") !== null && Bun.which("readelf") !== null;

const directory = mkdtempSync(join(tmpdir(), "llmspell-build-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function build(...args: string[]): { code: number; stdout: string; stderr: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, "build.ts", ...args], { cwd: ROOT });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

const machineOf = (path: string): string | undefined =>
  /Machine:\s+(\S+)/.exec(Bun.spawnSync(["readelf", "-h", path]).stdout.toString())?.[1];

describe("A build for another machine", () => {
  test.skipIf(!canCross)(
    "is of that machine, with every library in it, and prints its sizes",
    () => {
      const { code, stdout, stderr } = build("--target", TARGET);
      // Bun fetches the target's runtime at the first build, and says so where that takes long.
      expect([code, stderr.replace(/^(Downloading|Decompressing).*\n/gm, "")]).toEqual([0, ""]);
      const names = readdirSync(STAGED);
      expect(stdout).toMatch(
        new RegExp(
          `llmspell-${TARGET}: [\\d.]+ MB, of it native libraries [\\d.]+ MB in ${names.length} files`,
        ),
      );
      expect(machineOf(EXECUTABLE)).toBe("AArch64");
      expect(names).toContain("libllmspell-llama.so");
      const whole = readFileSync(EXECUTABLE);
      for (const name of names) {
        expect([name, machineOf(join(STAGED, name))]).toEqual([name, "AArch64"]);
        const library = Bun.zstdCompressSync(readFileSync(join(STAGED, name)), { level: 12 });
        expect([name, whole.includes(library)]).toEqual([name, true]);
      }
    },
    300_000,
  );

  const host = TARGETS.find(({ name }) => name === `${process.platform}-${process.arch}`)!;
  const other = TARGETS.find(({ name }) => name === (host.name === TARGET ? "linux-x64" : TARGET))!;
  test("refuses a library of the wrong machine in its set", async () => {
    const set = join(directory, "set");
    cpSync(join(ROOT, "build/native", host.name), set, { recursive: true });
    expect((await verifySet(host, set)).files.length).toBe(readdirSync(set).length);
    expect(verifySet(other, set)).rejects.toThrow(`its header is not that of ${other.name}`);

    const name = "libggml-base.so";
    const bytes = readFileSync(join(set, name));
    bytes.writeUInt16LE(243, 18); // RISC-V
    rmSync(join(set, name));
    writeFileSync(join(set, name), bytes);
    await expect(verifySet(host, set)).rejects.toThrow(
      `Cannot stage ${name}: its header is not that of ${host.name}`,
    );
  });
});

describe("A build that cannot be made", () => {
  const cases: [string, string[], RegExp][] = [
    ["of Windows", ["--target", "windows-x64"], /windows-x64 cannot be built on this machine: .*MSVC/],
    [
      "of nothing known",
      ["--target", "nonsense"],
      /there is no target "nonsense": there are linux-x64, linux-arm64/,
    ],
    ["of a misspelt target", ["--target", "linux-arm46"], /"linux-arm46": Did you mean "linux-arm64"\?/],
    ["with a misspelt GPU", ["--gpu", "vulkn"], /no GPU backend "vulkn": Did you mean "vulkan"\?/],
    [
      "with a GPU backend that its target has not",
      ["--gpu", "vulkan", "--target", "linux-arm64"],
      /there is no vulkan backend for linux-arm64: llama.cpp's packages have it for linux-x64/,
    ],
    [
      "of a Mac with another backend than Metal",
      ["--gpu", "cuda", "--target", "darwin-arm64"],
      /Macs use Metal, which is part of their normal build/,
    ],
    ["without its value", ["--target"], /--target <value>.* missing/],
    ["with an unknown option", ["--tarmac", "linux-arm64"], /Unknown option '--tarmac'/],
  ];
  if (process.platform !== "darwin")
    cases.push([
      "of a Mac",
      ["--target", "darwin-arm64"],
      /darwin-arm64 cannot be built on this machine: .*a Mac/,
    ]);
  for (const [name, args, text] of cases) {
    test(`${name} says so in one line`, () => {
      const { code, stdout, stderr } = build(...args);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^Cannot build: [^\n]+\n$/);
      expect(stderr).toMatch(text);
    });
  }
});
