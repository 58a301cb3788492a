import { describe, expect, test } from "bun:test";
import type { LogLevel } from "../../../src/core/log.ts";
import { DEBUG_LEVELS, parseLevel } from "../../../src/debug/level.ts";
import { loggable } from "../../../src/debug/loggable.ts";
import { type DebugOutput, DebugSession, type DebugSettings } from "../../../src/debug/session.ts";

const defaults: DebugSettings = {
  enabled: true,
  level: "info",
  stdout: true,
  coloured: false,
  file: false,
  format: "text",
  captureEntries: 10_000,
  redaction: { enabled: true, hash_redacted: false, field_names: [], patterns: [] },
  redactionKey: "00",
  moduleFilters: { enabled: [], disabled: [], levels: {} },
  performance: { enabled: false, autoReportSeconds: 0, includeChildren: true, minDurationMs: 1 },
  stackTrace: { on: "nothing", maxDepth: 50, includeSource: true },
};

function open(settings: Partial<DebugSettings> = {}, clock?: () => number) {
  const outputs: DebugOutput[] = [];
  const session = new DebugSession({ ...defaults, ...settings }, (output) => outputs.push(output), clock);
  const log = (level: LogLevel, message: string, module?: string, metadata?: unknown) => {
    if (!session.accepts(level, module)) return;
    session.write({
      timeMs: new Date(2026, 2, 1, 9, 5, 7, 42).getTime(),
      level,
      message,
      ...(module === undefined ? {} : { module }),
      ...(metadata === undefined ? {} : { metadata }),
    });
  };
  return { session, outputs, log, text: () => outputs.map((o) => o.text ?? "").join("") };
}

describe("parseLevel", () => {
  test.each([
    ["off", "off"],
    ["NONE", "off"],
    ["Err", "error"],
    ["error", "error"],
    ["Warning", "warn"],
    ["INFO", "info"],
    ["debug", "debug"],
    ["trace", "trace"],
    ["0", "off"],
    ["1", "error"],
    ["5", "trace"],
  ] as const)("understands %p as %p", (word, level) => expect(parseLevel(word)).toBe(level));

  test.each(["", "6", "-1", "loud", "constructor", "__proto__"])("does not understand %p", (word) =>
    expect(parseLevel(word)).toBeUndefined(),
  );
});

describe("DebugSession", () => {
  test("prints date, time with milliseconds, level, module and message", () => {
    const { log, text } = open();
    log("warn", "low disk", "store.files");
    expect(text()).toBe("2026-03-01 09:05:07.042 WARN [store.files] low disk\n");
  });

  test("leaves the brackets out where there is no module and puts data behind the text", () => {
    const { log, text } = open();
    log("info", "done", undefined, { b: 1, a: [true] });
    expect(text()).toBe('2026-03-01 09:05:07.042 INFO done {"a":[true],"b":1}\n');
  });

  test("colours the level only, and never in the log file", () => {
    const { log, outputs } = open({ coloured: true, file: true });
    log("error", "no", "m");
    expect(outputs).toEqual([
      {
        text: "2026-03-01 09:05:07.042 \x1b[31mERROR\x1b[0m [m] no\n",
        fileText: "2026-03-01 09:05:07.042 ERROR [m] no\n",
      },
    ]);
  });

  test("writes one JSON document a line", () => {
    const { log, text } = open({ format: "json" });
    log("info", 'say "hi"', "m", { n: 2n ** 62n });
    const [line, end] = text().split("\n");
    expect(end).toBe("");
    expect(line).toEndWith(
      '"message":"say \\"hi\\"","metadata":{"n":4611686018427387904},"module":"m","timestamp":"' +
        new Date(2026, 2, 1, 9, 5, 7, 42).toISOString() +
        '"}',
    );
  });

  test("captures only what level and filters let through", () => {
    const { session, log, text } = open();
    session.filters.add("noisy", "exact", false);
    log("debug", "too fine");
    log("error", "filtered", "noisy");
    log("error", "kept", "quiet");
    expect(session.capturedEntries().map((entry) => entry.message)).toEqual(["kept"]);
    expect(text().match(/\n/g)).toHaveLength(1);
  });

  test.each(DEBUG_LEVELS.map((level, index) => [level, index] as const))(
    "at level %p lets %p levels through",
    (level, count) => {
      const { session } = open({ level });
      const through = (["error", "warn", "info", "debug", "trace"] as const).filter((l) =>
        session.accepts(l, undefined),
      );
      expect(through).toHaveLength(count);
    },
  );

  test("gives a module its own level", () => {
    const { session } = open({
      moduleFilters: { enabled: [], disabled: [], levels: { "db.*": "trace", web: "off" } },
    });
    expect(session.accepts("trace", "db.pool")).toBe(true);
    expect(session.accepts("error", "web")).toBe(false);
    expect(session.accepts("debug", "other")).toBe(false);
  });

  test("is silent when disabled", () => {
    const { session } = open({ enabled: false });
    expect(session.accepts("error", undefined)).toBe(false);
  });

  test("keeps the newest entries in order when more come than it may keep", () => {
    const { session, log } = open({ captureEntries: 3, stdout: false });
    for (let i = 1; i <= 8; i++) log("info", String(i));
    expect(session.capturedEntries().map((entry) => entry.message)).toEqual(["6", "7", "8"]);
    expect(session.capturedEntries(2).map((entry) => entry.message)).toEqual(["7", "8"]);
    expect(session.capturedEntries(0)).toEqual([]);
    session.clearCaptured();
    log("info", "9");
    expect(session.capturedEntries().map((entry) => entry.message)).toEqual(["9"]);
  });

  test("prints nothing when standard output is off and still captures", () => {
    const { session, log, outputs } = open({ stdout: false });
    log("info", "kept");
    expect(outputs).toEqual([]);
    expect(session.capturedEntries()).toHaveLength(1);
  });

  test("logs the performance report when its interval has passed", () => {
    let now = 0;
    const performance = { enabled: true, autoReportSeconds: 10, includeChildren: false, minDurationMs: 100 };
    const { session, text } = open({ performance }, () => now);
    const outer = session.profiler.start("outer", 0);
    const inner = session.profiler.start("inner", 0);
    now = 200;
    inner.stop();
    session.reportIfDue();
    expect(text()).toBe("");
    now = 10_000;
    outer.stop();
    session.reportIfDue();
    expect(text()).toContain("outer");
    expect(text()).not.toContain("inner");
  });
});

describe("loggable", () => {
  test("names what has no JSON form", () => {
    class Odd {
      kind = "handle";
    }
    expect(
      loggable({ a: [new Uint8Array(3)], f: { kind: "function", call() {} }, h: new Odd(), n: null }),
    ).toEqual({
      a: ["<3 bytes that are not UTF-8>"],
      f: "<function>",
      h: "<handle>",
      n: null,
    });
  });
});
