import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { oldFiles, RotatingFile, type RotationLimits } from "../../../src/kernel/logs/rotating-file.ts";

function inDirectory<T>(body: (path: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "llmspell-log-"));
  const done = () => rmSync(directory, { recursive: true, force: true });
  const result = body(join(directory, "k.log"));
  if (result instanceof Promise) return result.finally(done) as T;
  done();
  return result;
}

const textOf = (path: string) =>
  path.endsWith(".gz") ? gunzipSync(readFileSync(path)).toString() : readFileSync(path, "utf8");

async function written(path: string, limits: RotationLimits, lines: readonly string[]): Promise<void> {
  const file = RotatingFile.open(
    path,
    () => limits,
    (error) => {
      throw error;
    },
  );
  for (const line of lines) file.write(line);
  await file.close();
}

describe("RotatingFile", () => {
  test("begins a new file before the limit is passed, several within a second", () =>
    inDirectory(async (path) => {
      const limits = { maxSizeBytes: 20, maxFiles: 9, compress: false };
      await written(path, limits, ["aaaaaaaaa", "bbbbbbbbb", "ccccccccc", "ddddddddd", "eeeeeeeee"]);
      expect(readFileSync(path, "utf8")).toBe("eeeeeeeee\n");
      expect(oldFiles(path).map(textOf)).toEqual(["ccccccccc\nddddddddd\n", "aaaaaaaaa\nbbbbbbbbb\n"]);
      for (const old of oldFiles(path)) expect(old).toMatch(/k\.log\.\d{8}_\d{6}(\.\d+)?$/);
    }));

  test("takes a line that is longer than a file may be", () =>
    inDirectory(async (path) => {
      await written(path, { maxSizeBytes: 5, maxFiles: 9, compress: false }, ["long enough", "and longer"]);
      expect(textOf(oldFiles(path)[0]!)).toBe("long enough\n");
      expect(readFileSync(path, "utf8")).toBe("and longer\n");
    }));

  test("keeps so many old files, the newest, compressed by gzip", () =>
    inDirectory(async (path) => {
      const lines = Array.from({ length: 40 }, (_, i) => `line ${i} ${"y".repeat(20)}`);
      await written(path, { maxSizeBytes: 100, maxFiles: 3, compress: true }, lines);
      const old = oldFiles(path);
      expect(old.length).toBe(3);
      expect(old.every((name) => name.endsWith(".gz"))).toBe(true);
      const kept = [...old].reverse().map(textOf).join("") + readFileSync(path, "utf8");
      expect(`${lines.join("\n")}\n`.endsWith(kept)).toBe(true);
      expect(statSync(old[0]!).mode & 0o777 & ~0o640).toBe(0);
    }));

  test("goes on in a new file where somebody has moved the old one away", () =>
    inDirectory((path) => {
      const limits = { maxSizeBytes: 1000, maxFiles: 3, compress: false };
      const file = RotatingFile.open(
        path,
        () => limits,
        () => {},
      );
      file.write("one");
      renameSync(path, `${path}.mine`);
      file.write("two");
      expect([textOf(`${path}.mine`), textOf(path)]).toEqual(["one\n", "two\n"]);
    }));

  test("loses and tears no line of four processes that write at once", () =>
    inDirectory(async (path) => {
      const lines = 1000;
      const names = ["a", "b", "c", "d"];
      const writer = join(import.meta.dir, "log-writer.ts");
      const codes = await Promise.all(
        names.map(
          (name) =>
            Bun.spawn([process.execPath, writer, path, name, String(lines)], { stderr: "inherit" }).exited,
        ),
      );
      expect(codes).toEqual([0, 0, 0, 0]);
      const all = [...oldFiles(path), path].map(textOf).join("").trimEnd().split("\n").sort();
      const expected = names.flatMap((name) =>
        Array.from({ length: lines }, (_, i) => `${name} ${i} ${"x".repeat(40)}`),
      );
      expect(all).toEqual(expected.sort());
      expect(oldFiles(path).length).toBeGreaterThan(5);
      expect(readdirSync(join(path, "..")).filter((name) => name.endsWith(".part"))).toEqual([]);
    }));
});
