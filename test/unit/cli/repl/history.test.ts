import { afterAll, describe, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { HistoryFile, MAX_FILE_ENTRIES } from "../../../../src/cli/repl/history.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-history-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let places = 0;
const place = () => join(directory, String(++places), "deep", "history");

describe("the history file", () => {
  test("gives back inputs as they were typed, the oldest first", async () => {
    const file = new HistoryFile(place());
    const inputs = ["1 + 1", 'for i = 1, 2 do\n  print("\\n", i)\nend', "é漢 \t\u0001"];
    for (const input of inputs) await file.append(input);
    expect(await file.read(10)).toEqual(inputs);
    expect(await file.read(2)).toEqual(inputs.slice(1));
  });

  test("is its owner's only, also where it was not", async () => {
    const path = place();
    await new HistoryFile(path).append("secret");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const open = `${path}2`;
    writeFileSync(open, '"a"\n', { mode: 0o644 });
    expect(await new HistoryFile(open).read(5)).toEqual(["a"]);
    expect(statSync(open).mode & 0o777).toBe(0o600);
  });

  test("passes over torn and foreign lines", async () => {
    const path = place();
    const file = new HistoryFile(path);
    await file.append("a");
    appendFileSync(path, '{"b":1}\nplain\n"torn');
    expect(await file.read(5)).toEqual(["a"]);
  });

  test("is cut to its newest entries", async () => {
    const path = place();
    const file = new HistoryFile(path);
    await file.clear();
    const lines = Array.from({ length: MAX_FILE_ENTRIES + 1500 }, (_, i) => `"${i}"`);
    writeFileSync(path, `${lines.join("\n")}\n`);
    await file.read(1);
    expect(readFileSync(path, "utf8").trim().split("\n")).toEqual(lines.slice(-MAX_FILE_ENTRIES));
  });

  test("loses nothing of processes that write and cut at once", async () => {
    const path = place();
    await new HistoryFile(path).clear();
    const module = resolve("src/cli/repl/history.ts");
    const writer = (name: string) => `
      import { HistoryFile } from ${JSON.stringify(module)};
      const file = new HistoryFile(${JSON.stringify(path)});
      for (let i = 0; i < 60; i++) { await file.append("${name}" + i); await file.read(1); }`;
    const filler = `${Array.from({ length: MAX_FILE_ENTRIES + 990 }, () => '"old"').join("\n")}\n`;
    writeFileSync(path, filler);
    const processes = ["a", "b", "c"].map((name) => Bun.spawn([process.execPath, "-e", writer(name)]));
    expect(await Promise.all(processes.map((p) => p.exited))).toEqual([0, 0, 0]);
    const kept = new Set(await new HistoryFile(path).read(MAX_FILE_ENTRIES));
    for (const name of ["a", "b", "c"]) {
      expect(Array.from({ length: 60 }, (_, i) => kept.has(`${name}${i}`))).not.toContain(false);
    }
    expect(readFileSync(path, "utf8").split("\n").length).toBeLessThan(MAX_FILE_ENTRIES + 990);
  });
});
