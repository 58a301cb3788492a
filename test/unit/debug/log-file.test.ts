import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Log, type LogRecord } from "../../../src/core/log.ts";
import { createDebugService } from "../../../src/debug/create.ts";
import { LogFile } from "../../../src/debug/log-file.ts";
import type { ConfigService } from "../../../src/kernel/services.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "llmspell-debug-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const read = (name: string) => readFileSync(join(directory, name), "utf8");

describe("LogFile", () => {
  test("sets a full file aside and keeps so many older ones", () => {
    const file = new LogFile({ path: join(directory, "d.log"), append: true, maxBytes: 12, maxFiles: 2 });
    for (const line of ["one 1\n", "two 2\n", "three\n", "four4\n", "five5\n", "six 6\n", "seven\n"])
      file.write(line);
    file.close();
    expect(readdirSync(directory).sort()).toEqual(["d.log", "d.log.1", "d.log.2"]);
    expect(read("d.log")).toBe("seven\n");
    expect(read("d.log.1")).toBe("five5\nsix 6\n");
    expect(read("d.log.2")).toBe("three\nfour4\n");
  });

  test("writes a line longer than the limit whole, in a file of its own", () => {
    const file = new LogFile({ path: join(directory, "d.log"), append: true, maxBytes: 4, maxFiles: 1 });
    file.write("a long line\n");
    file.write("b\n");
    file.close();
    expect(read("d.log.1")).toBe("a long line\n");
    expect(read("d.log")).toBe("b\n");
  });

  test("keeps no older file where none is wanted", () => {
    const file = new LogFile({ path: join(directory, "d.log"), append: true, maxBytes: 2, maxFiles: 0 });
    file.write("a\n");
    file.write("b\n");
    file.close();
    expect(readdirSync(directory)).toEqual(["d.log"]);
    expect(read("d.log")).toBe("b\n");
  });

  test.each([
    [true, "old\nnew\n"],
    [false, "new\n"],
  ])("with append %p holds %p", (append, expected) => {
    writeFileSync(join(directory, "d.log"), "old\n");
    const file = new LogFile({ path: join(directory, "d.log"), append, maxBytes: 100, maxFiles: 1 });
    file.write("new\n");
    file.close();
    expect(read("d.log")).toBe(expected);
  });

  test("is readable by its owner only", () => {
    const file = new LogFile({
      path: join(directory, "sub", "d.log"),
      append: true,
      maxBytes: 100,
      maxFiles: 1,
    });
    file.write("secret\n");
    file.close();
    expect(statSync(join(directory, "sub", "d.log")).mode & 0o777).toBe(0o600);
  });
});

describe("DebugService", () => {
  const output = (file?: object) => ({
    stdout: true,
    colored: true,
    format: "text",
    buffer: { enabled: true, max_entries: 10_000 },
    ...(file === undefined ? {} : { file: { append: true, max_size: 1000, max_files: 1, ...file } }),
  });
  const config = (debugOutput: object, explicit: readonly string[] = []): ConfigService => ({
    current: {
      debug: {
        enabled: false,
        level: "info",
        output: debugOutput,
        module_filters: { enabled: [], disabled: [], levels: {} },
        performance: { enabled: false, auto_report_interval: 0, include_children: true, min_duration_ms: 1 },
        stack_trace: { enabled: true, on_error: true, max_depth: 50, include_source: true },
      },
      runtime: { state_persistence: { redaction: { enabled: true } } },
    } as unknown as ConfigService["current"],
    source: "defaults",
    isExplicit: (path) => explicit.includes(path),
    update: () => {},
  });
  const logged: LogRecord[] = [];
  const log = new Log((record) => logged.push(record), "warn");

  test("lets scripts log unless somebody turned it off", () => {
    expect(createDebugService({ config: config(output()), log }).settings().enabled).toBe(true);
    expect(createDebugService({ config: config(output(), ["debug.enabled"]), log }).settings().enabled).toBe(
      false,
    );
  });

  test("colours on a terminal, and not when NO_COLOR is set", () => {
    const at = (terminal: boolean, env: Record<string, string>) =>
      createDebugService({ config: config(output()), log, terminal, env }).settings().coloured;
    expect(at(true, {})).toBe(true);
    expect(at(true, { NO_COLOR: "" })).toBe(true);
    expect(at(true, { NO_COLOR: "1" })).toBe(false);
    expect(at(false, {})).toBe(false);
  });

  test("puts traces on errors when traces are turned on", () => {
    expect(createDebugService({ config: config(output()), log }).settings().stackTrace.on).toBe("errors");
  });

  test("appends to the configured file and reports a file that cannot be written once", () => {
    const good = createDebugService({ config: config(output({ path: join(directory, "d.log") })), log });
    good.append("a\n");
    good.dispose();
    expect(read("d.log")).toBe("a\n");
    logged.length = 0;
    const bad = createDebugService({ config: config(output({ path: join(directory, "d.log", "x") })), log });
    bad.append("a\n");
    bad.append("b\n");
    expect(logged).toHaveLength(1);
    expect(logged[0]!.message).toStartWith("Cannot write debug log: ");
  });
});
