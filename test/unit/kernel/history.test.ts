import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecutionHistory } from "../../../src/kernel/history.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "llmspell-history-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const brief = (entries: { session: number; line: number; input: string }[]) =>
  entries.map(({ session, line, input }) => `${session}:${line} ${input}`);

describe("ExecutionHistory", () => {
  test("keeps what was executed for later kernels, each a session of its own", async () => {
    const first = await ExecutionHistory.open(directory);
    first.add(1, "a = 1", null);
    first.add(2, "a", "1");
    first.close();
    const second = await ExecutionHistory.open(directory);
    const beside = await ExecutionHistory.open(directory); // two kernels at once
    second.add(1, "b", "2");
    beside.add(1, "c", null);
    expect(brief(second.find({ type: "tail", count: 3 }))).toEqual(["1:2 a", "2:1 b", "3:1 c"]);
    expect(second.find({ type: "range", session: -1, start: 2, stop: undefined })).toEqual([
      { session: 1, line: 2, input: "a", output: "1" },
    ]);
    expect(brief(second.find({ type: "range", session: 0, start: 0, stop: undefined }))).toEqual(["2:1 b"]);
    expect(brief(second.find({ type: "range", session: 1, start: 1, stop: 2 }))).toEqual(["1:1 a = 1"]);
    second.close();
    beside.close();
  });

  test("finds by pattern, the last ones, each once where asked", async () => {
    const history = await ExecutionHistory.open(directory);
    for (const [i, input] of ["print(1)", "x", "print(2)", "print(1)"].entries())
      history.add(i + 1, input, null);
    const search = { type: "search", pattern: "print*", count: undefined } as const;
    expect(brief(history.find({ ...search, unique: false }))).toEqual([
      "1:1 print(1)",
      "1:3 print(2)",
      "1:4 print(1)",
    ]);
    expect(history.find({ ...search, unique: true }).map(({ input }) => input)).toEqual([
      "print(2)",
      "print(1)",
    ]);
    expect(brief(history.find({ ...search, count: 1, unique: false }))).toEqual(["1:4 print(1)"]);
    history.close();
  });

  test("is its owner's alone and does not grow without end", async () => {
    const history = await ExecutionHistory.open(directory);
    for (let line = 1; line <= 10_200; line++) history.add(line, "x", null);
    expect(history.find({ type: "tail", count: 20_000 })).toHaveLength(10_000);
    expect(statSync(join(directory, "history.db")).mode & 0o777).toBe(0o600);
    history.close();
  });
});
