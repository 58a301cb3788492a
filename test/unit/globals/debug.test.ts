import { describe, expect, test } from "bun:test";
import type { ScriptValue } from "../../../src/core/values.ts";
import type { DebugOutput, DebugSettings } from "../../../src/debug/session.ts";
import { checkArgs } from "../../../src/globals/check.ts";
import { DebugGlobal as debug } from "../../../src/globals/debug.ts";
import type { FunctionDecl, LocalContext, StackFrame } from "../../../src/globals/declare.ts";

const settings: DebugSettings = {
  enabled: true,
  level: "info",
  stdout: true,
  coloured: false,
  file: false,
  format: "text",
  captureEntries: 10_000,
  redaction: { enabled: true, hash_redacted: false, field_names: ["pin"], patterns: [] },
  redactionKey: "00",
  moduleFilters: { enabled: [], disabled: [], levels: {} },
  performance: { enabled: false, autoReportSeconds: 0, includeChildren: true, minDurationMs: 1 },
  stackTrace: { on: "nothing", maxDepth: 50, includeSource: true },
};

const frames: StackFrame[] = [
  { source: "script.lua", line: 12, name: "step", what: "Lua", locals: [{ name: "n", value: "3" }] },
  { source: "[C]", line: -1, name: "pcall", what: "C" },
  { source: "script.lua", line: 30, name: "", what: "main" },
];

/** A script thread whose kernel side is this test: local functions run here, what they post is collected. */
function thread(overrides: Partial<DebugSettings> = {}) {
  const posted: DebugOutput[] = [];
  let waits = 0;
  let stackOptions: unknown;
  const methods = debug.classes![0]!.methods;
  const invoke = (decl: FunctionDecl, name: string, self: unknown, args: ScriptValue[]) => {
    const { handler } = decl as unknown as {
      handler: (ctx: LocalContext<unknown>, ...args: unknown[]) => unknown;
    };
    return handler({ ...ctx, self }, ...checkArgs(`Debug.${name}`, decl.params, args));
  };
  const ctx: LocalContext = {
    self: undefined,
    env: { scriptName: "script.lua" },
    wait: (global, fn) => {
      expect([global, fn]).toEqual(["Debug", "settings"]);
      waits++;
      return { ...settings, ...overrides } as unknown as ScriptValue;
    },
    post: (global, fn, output) => {
      expect([global, fn]).toEqual(["Debug", "write"]);
      posted.push(output as DebugOutput);
    },
    create: (className, state) => {
      expect(className).toBe("DebugTimer");
      const call =
        (name: string) =>
        (...args: ScriptValue[]) =>
          invoke(methods[name]!, name, state, args);
      return {
        ...debug.classes![0]!.fields!(state as never),
        stop: call("stop"),
        lap: call("lap"),
        elapsed: call("elapsed"),
      } as never;
    },
    vm: {
      stack: (options) => {
        stackOptions = options;
        return frames;
      },
      memory: () => ({ usedBytes: 1_000, allocatedBytes: 4_096 }),
    },
  };
  return {
    call: (name: string, ...args: ScriptValue[]) =>
      invoke(debug.functions[name]!, name, undefined, args) as never,
    lines: () => posted.map((output) => output.text!.replace(/^\S+ \S+ /, "")),
    posted,
    waits: () => waits,
    stackOptions: () => stackOptions,
  };
}

describe("Debug.log and its shorter forms", () => {
  test("print level, module and message", () => {
    const { call, lines } = thread();
    call("info", "one");
    call("log", "WARNING", "two", "net");
    call("error", 3 as never);
    call("logWithData", "err", "four", { a: 1 }, "net");
    expect(lines()).toEqual(["INFO one\n", "WARN [net] two\n", "ERROR 3\n", 'ERROR [net] four {"a":1}\n']);
  });

  test("drop what the level keeps out, unknown levels, and `off`", () => {
    const { call, posted } = thread();
    call("debug", "a");
    call("trace", "b");
    call("log", "loud", "c");
    call("log", "off", "d");
    expect(posted).toEqual([]);
  });

  test("take bytes that are not UTF-8", () => {
    const { call, lines } = thread();
    call("info", new Uint8Array([0x61, 0xff]));
    expect(lines()).toEqual(["INFO a\ufffd\n"]);
  });

  test("ask the kernel for the settings once", () => {
    const { call, waits } = thread();
    for (let i = 0; i < 5; i++) call("debug", "x");
    expect(waits()).toBe(1);
  });

  test("show where an error was logged when traces are on", () => {
    const { call, lines } = thread({ stackTrace: { on: "errors", maxDepth: 7, includeSource: true } });
    call("info", "fine");
    call("error", "bad");
    expect(lines()).toEqual([
      "INFO fine\n",
      "ERROR bad\nstack traceback:\n\tscript.lua:12: in function 'step'\n\t\tlocal n = 3\n\t[C]: in function 'pcall'\n\tscript.lua:30: in main chunk\n",
    ]);
  });
});

describe("Debug.setLevel", () => {
  test("changes what is printed and answers whether it understood", () => {
    const { call, lines } = thread();
    expect(call("getLevel")).toBe("INFO" as never);
    expect(call("setLevel", "Trace")).toBe(true as never);
    expect(call("setLevel", "shout")).toBe(false as never);
    expect(call("getLevel")).toBe("TRACE" as never);
    call("trace", "seen");
    expect(call("setLevel", 0)).toBe(true as never);
    expect(call("getLevel")).toBe("OFF" as never);
    call("error", "unseen");
    expect(lines()).toEqual(["TRACE seen\n"]);
  });

  test("is apart from turning logging off", () => {
    const { call, posted } = thread();
    expect(call("isEnabled")).toBe(true as never);
    call("setEnabled", false);
    call("error", "unseen");
    expect(call("isEnabled")).toBe(false as never);
    expect(posted).toEqual([]);
  });
});

describe("Debug's module filters", () => {
  test("silence, let through and list", () => {
    const { call, lines } = thread();
    call("addModuleFilter", "db.*", false);
    expect(call("addAdvancedFilter", "db.pool", "Exact", true)).toBe(true as never);
    expect(call("addAdvancedFilter", "x", "fuzzy", true)).toBe(false as never);
    expect(call("addAdvancedFilter", "(", "regex", true)).toBe(false as never);
    call("info", "a", "db.read");
    call("info", "b", "db.pool");
    call("setDefaultFilterEnabled", false);
    call("info", "c", "web");
    call("info", "d");
    expect(lines()).toEqual(["INFO [db.pool] b\n"]);
    expect(call("getFilterSummary")).toEqual({
      default_enabled: false,
      total_rules: 2,
      rules: [
        { pattern: "db.*", pattern_type: "wildcard", enabled: false },
        { pattern: "db.pool", pattern_type: "exact", enabled: true },
      ],
    } as never);
    expect(call("removeModuleFilter", "db.*")).toBe(true as never);
    expect(call("removeModuleFilter", "db.*")).toBe(false as never);
    call("clearModuleFilters");
    expect((call("getFilterSummary") as { total_rules: number }).total_rules).toBe(0);
  });
});

describe("Debug.getCapturedEntries", () => {
  test("gives the entries that were printed, oldest first, with their data", () => {
    const { call } = thread();
    call("debug", "not printed");
    call("info", "one", "m");
    call("logWithData", "warn", "two", { k: [1, null] });
    const entries = call("getCapturedEntries") as { timestamp: string }[];
    expect(entries.map(({ timestamp: _, ...entry }) => entry)).toEqual([
      { level: "INFO", message: "one", module: "m" },
      { level: "WARN", message: "two", metadata: { k: [1, null] } },
    ] as never);
    expect(entries.every((entry) => new Date(entry.timestamp).toISOString() === entry.timestamp)).toBe(true);
    expect(call("getCapturedEntries", 1)).toHaveLength(1);
    call("clearCaptured");
    expect(call("getCapturedEntries")).toEqual([] as never);
  });
});

describe("Debug.timer", () => {
  interface ScriptTimer {
    id: string;
    stop(): number | undefined;
    lap(name: string): boolean;
    elapsed(): number | undefined;
  }

  test("stops once and feeds the reports", () => {
    const { call } = thread();
    const timer = call("timer", "load") as ScriptTimer;
    expect(timer.elapsed()).toBeGreaterThanOrEqual(0);
    expect(timer.lap("half")).toBe(true);
    expect(call("recordEvent", timer.id, "hit", { n: 1 })).toBe(true as never);
    const snapshot = call("memorySnapshot") as { active_trackers: number; total_memory_delta_bytes: number };
    expect([snapshot.active_trackers, snapshot.total_memory_delta_bytes]).toEqual([1, 0]);
    const ms = timer.stop()!;
    expect(timer.stop()).toBeUndefined();
    expect(timer.elapsed()).toBeUndefined();
    expect(timer.lap("late")).toBe(false);
    expect(call("recordEvent", timer.id, "late")).toBe(false as never);
    const report = JSON.parse(call("jsonReport") as string);
    expect(report.timers).toMatchObject([{ name: "load", count: 1, total_ms: ms, p99_ms: ms }]);
    expect(report.events.map((e: { name: string }) => e.name)).toEqual(["half", "hit"]);
    expect(call("performanceReport") as string).toMatch(/^load +1 +/m);
    expect(call("flameGraph") as string).toBe(`load ${Math.round(ms * 1000)}`);
  });
});

describe("Debug.stackTrace", () => {
  test("asks for as many frames as its options say and can leave places out", () => {
    const { call, stackOptions } = thread();
    const trace = call("stackTrace", {
      max_depth: 3,
      include_source: false,
      capture_locals: true,
      capture_upvalues: "x",
    });
    expect(trace as string).toBe(
      "stack traceback:\n\tin function 'step'\n\t\tlocal n = 3\n\tin function 'pcall'\n\tin main chunk",
    );
    expect(stackOptions()).toEqual({ maxDepth: 3, locals: true, upvalues: false });
  });

  test("is JSON on demand", () => {
    const { call } = thread();
    expect(JSON.parse(call("stackTraceJson") as string)).toEqual({ frames });
  });
});
