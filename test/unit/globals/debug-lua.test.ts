import { describe, expect, test } from "bun:test";
import { runScript } from "./lua-globals-harness.ts";

/** Lua reads back what the dump wrote. */
const readBack = (value: string, dump = "dump") => `
  local value = ${value}
  local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then return a == b and math.type(a) == math.type(b) or a ~= a and b ~= b end
    for k, v in pairs(a) do if not same(v, b[k]) then return false, k end end
    for k in pairs(b) do if a[k] == nil then return false, k end end
    return true
  end
  print(same(value, load("return " .. Debug.${dump}(value))()))`;

describe("Debug in a script", () => {
  test("keeps log lines and print in order", async () => {
    const lines = await runScript(`
      for i = 1, 3 do print("print", i) Debug.info("log " .. i, "m") end
      Debug.debug("hidden") Debug.set_level("debug") Debug.debug("shown")
    `);
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /, "@ "))).toEqual([
      "print\t1",
      "@ INFO [m] log 1",
      "print\t2",
      "@ INFO [m] log 2",
      "print\t3",
      "@ INFO [m] log 3",
      "@ DEBUG shown",
    ]);
  });

  test("shows scripts the documented functions and nothing internal", async () => {
    const lines = await runScript(`
      local names = {}
      for name, value in pairs(Debug) do if type(value) == "function" then names[#names + 1] = name end end
      table.sort(names) print(table.concat(names, " "))
    `);
    // The 32 functions of the specification, sections 10.1 to 10.3.
    const documented =
      "log trace debug info warn error logWithData setLevel getLevel setEnabled isEnabled addModuleFilter addAdvancedFilter " +
      "removeModuleFilter clearModuleFilters setDefaultFilterEnabled getFilterSummary getCapturedEntries clearCaptured " +
      "timer recordEvent performanceReport jsonReport flameGraph memoryStats memorySnapshot dump dumpCompact dumpVerbose " +
      "dumpWithOptions stackTrace stackTraceJson " +
      "display"; // ours
    expect(lines[0]!.split(" ")).toEqual(documented.split(" ").sort());
  });

  test("times with timers that have an id and stop once", async () => {
    const lines = await runScript(`
      local t = Debug.timer("work")
      print(type(t.id), t:lap("a"), Debug.recordEvent(t.id, "e", { n = 1 }), t:elapsed() >= 0)
      local ms = t:stop()
      print(math.type(ms) ~= nil and ms >= 0, t:stop(), t:elapsed(), t:lap("b"), Debug.recordEvent(t.id, "late"))
      print(Debug.flameGraph():match("^work %d+$") ~= nil)
    `);
    expect(lines).toEqual(["string\ttrue\ttrue\ttrue", "true\tnil\tnil\tfalse\tfalse", "true"]);
  });

  test("reports memory that grows with what the script keeps", async () => {
    const lines = await runScript(`
      collectgarbage()
      local before = Debug.memoryStats()
      local t = Debug.timer("fill")
      local kept = string.rep("x", 8 * 1024 * 1024)
      local after = Debug.memoryStats()
      print(after.used_bytes - before.used_bytes >= 8000000, after.allocated_bytes >= after.used_bytes)
      print(after.resident_bytes > 8 * 1024 * 1024)
      local snapshot = Debug.memorySnapshot()
      print(snapshot.active_trackers, snapshot.tracker_memory_usage.fill.delta_bytes >= 8000000)
      collectgarbage() collectgarbage()
      print(Debug.memoryStats().collections > after.collections)
    `);
    expect(lines).toEqual(["true\ttrue", "true", "1\ttrue", "true"]);
  });

  test("knows where the script is", async () => {
    const lines = await runScript(
      [
        "local function inner() return Debug.stackTrace() end",
        "function outer()",
        "  local trace = inner()",
        "  return trace",
        "end",
        "print(outer())",
        "local json = Debug.stackTraceJson({ max_depth = 1 })",
        "print(json)",
      ].join("\n"),
    );
    expect(lines.slice(0, 4)).toEqual([
      "stack traceback:",
      expect.stringMatching(/^\tscript\.lua:1: in (function|upvalue|local) ?'?inner/),
      expect.stringMatching(/^\tscript\.lua:3: in function '?(_G\.)?outer/),
      "\tscript.lua:6: in main chunk",
    ]);
    const { frames } = JSON.parse(lines.at(-1)!) as { frames: { line: number; source: string }[] };
    expect(frames.map(({ line, source }) => [source, line])).toEqual([["script.lua", 7]]);
  });

  test("shows variables in a trace only when asked", async () => {
    const lines = await runScript(
      [
        "local captured = 11",
        "local function f(argument)",
        '  local text = "t" .. captured',
        "  print(Debug.stackTrace({ max_depth = 1, capture_locals = true, capture_upvalues = true }))",
        "  print(Debug.stackTrace({ max_depth = 1 }))",
        "  return text",
        "end",
        "f(5)",
      ].join("\n"),
    );
    expect(lines).toContain("\t\tlocal argument = 5");
    expect(lines.some((line) => line.startsWith("\t\tlocal text = ") && line.includes("t11"))).toBe(true);
    expect(lines).toContain("\t\tupvalue captured = 11");
    expect(lines.lastIndexOf("\t\tlocal argument = 5")).toBeLessThan(lines.lastIndexOf("stack traceback:"));
  });
});

describe("Debug.dump", () => {
  test.each([
    [
      "nested tables",
      '{ 1, 2.5, { a = { b = { "c" } } }, [10] = true, [1.5] = "x", [true] = false, ["end"] = 1, ["a b"] = 2 }',
    ],
    ["numbers", "{ math.mininteger, math.maxinteger, 1e300, -0.1, 1/3, 5.0, math.huge, -math.huge, 0/0 }"],
    [
      "control characters, quotes and bytes that are not UTF-8",
      String.raw`{ "a\nb\t\"\\", "\0\1\127", "\xff\xfe", "h\u{e9}\u{1F600}" }`,
    ],
    ["an empty table", "{ {} }"],
  ])("writes %s as Lua that reads back the same", async (_what, value) => {
    expect(await runScript(readBack(value))).toEqual(["true"]);
    expect(await runScript(readBack(value, "dumpVerbose"))).toEqual(["true"]);
  });

  test("shows types as comments, names first", async () => {
    const lines = await runScript(`print(Debug.dump({ 7, name = "v", f = print }, "t"))`);
    expect(lines).toEqual([
      "t = {  -- table: 1 element, 2 fields",
      "  [1] = 7,  -- integer",
      "  f = <function>,  -- function",
      '  name = "v",  -- string',
      "}",
    ]);
  });

  test("is one short line when compact", async () => {
    const lines = await runScript(`
      local t = { x = { y = { z = { deep = 1 } } } }
      for i = 1, 12 do t[i] = i end
      print(Debug.dumpCompact(t, "t"))
    `);
    expect(lines).toEqual(["t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ... 2 more, x = {y = {z = {...}}}}"]);
  });

  test("ends for cycles and shared tables, naming where each was shown", async () => {
    const lines = await runScript(`
      local t = { list = { 1 } }
      t.again, t.self = t.list, t
      print(Debug.dumpWithOptions(t, { show_types = false }, "t"))
      local wide = {}
      for i = 1, 40 do wide = { wide, wide } end
      print(#Debug.dump(wide) < 4000)
    `);
    expect(lines).toEqual([
      "t = {",
      "  again = {",
      "    [1] = 1,",
      "  },",
      "  list = <see t.again>,",
      "  self = <see t>,",
      "}",
      "true",
    ]);
  });

  test("names metatables without running them", async () => {
    const lines = await runScript(`
      local trap = function() error("a metamethod ran") end
      local t = setmetatable({ x = 1 }, { __index = trap, __pairs = trap, __len = trap, __tostring = trap })
      print((Debug.dump(t):match("metatable {.-}")))
      print((Debug.dump(setmetatable({}, { __metatable = "locked" }))))
    `);
    expect(lines).toEqual([
      "metatable {__index, __len, __pairs, __tostring}",
      "{}  -- table, protected metatable",
    ]);
  });

  test("obeys its options and ignores those of a wrong type", async () => {
    const lines = await runScript(`
      local options = { max_array_elements = 1, max_table_pairs = 1, max_string_length = 3, indent_size = "wide", show_types = false }
      print(Debug.dumpWithOptions({ "abcdef", 2, 3, k = 1, l = 2, m = 3 }, options))
      print(Debug.dumpWithOptions({ { { 1 } } }, { max_depth = 1, show_types = false, indent_size = 0 }))
      print(Debug.dumpWithOptions("\\u{e9}\\u{e9}\\u{e9}", { max_string_length = 3, show_types = false }))
    `);
    expect(lines).toEqual([
      "{",
      '  [1] = "abc...",',
      "  -- 2 more elements",
      "  k = 1,",
      "  -- 2 more fields",
      "}",
      "{",
      "[1] = {...},",
      "}",
      '"é..."',
    ]);
  });

  test("shows addresses when verbose", async () => {
    const lines = await runScript(`print(Debug.dumpVerbose(print, "f"))`);
    expect(lines[0]).toMatch(/^f = <function: 0x[0-9a-f]+> {2}-- function$/);
  });

  test("is not changed by what a script does to the standard library", async () => {
    const lines = await runScript(`
      string.format, table.concat, next, rawget = nil, nil, nil, nil
      print((Debug.dump({ a = 1.5 })))
    `);
    expect(lines[1]).toBe("  a = 1.5,  -- float");
  });

  test("needs nothing of a standard library that the script does not have", async () => {
    const lines = await runScript(`print(string, utf8) print((Debug.dump({ a = 1.5 })))`, "None");
    expect([lines[0], lines[2]]).toEqual(["nil\tnil", "  a = 1.5,  -- float"]);
  });
});
