/** spec/lua-api.md section 17, with labels, histograms, timers and spans. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { luaTable } from "./support.ts";

luaTable("Metrics", {
  cases: [
    ["get gives nil for a name that is not there", `Metrics.get("nothing")`, "nil"],
    ["get gives the kernel's uptime", `Metrics.get("kernel.uptime") > 0`, "true"],
    [
      "increment counts by one, by n, by a fraction",
      `Metrics.increment("c") Metrics.increment("c", 2) Metrics.increment("c", 0.5) return Metrics.get("c")`,
      "3.5",
    ],
    [
      "record keeps the last number",
      `Metrics.record("g", 4) Metrics.record("g", -2) return Metrics.get("g")`,
      "-2",
    ],
    ["both give nil", `Metrics.record("g", 1), Metrics.increment("c2")`, "nil nil"],
    [
      "list names what there is, sorted",
      `local seen, last = {}, "" for _, name in ipairs(Metrics.list()) do seen[name] = last < name last = name end return seen.c, seen.g, seen["kernel.uptime"]`,
      "true true true",
    ],
    [
      "snapshot is a map of numbers",
      `local s = Metrics.snapshot() for _, v in pairs(s) do assert(type(v) == "number") end return s.g, s.c`,
      "1 3.5",
    ],
    [
      "labels make series, in any order",
      `Metrics.increment("l", 1, {a = 1, b = true}) Metrics.increment("l", 1, {b = true, a = 1}) Metrics.increment("l", 5, {a = 2, b = true}) return Metrics.get("l"), Metrics.get("l", {a = 1}), Metrics.get("l", {a = "2"}), Metrics.snapshot()['l{a="1",b="true"}']`,
      "7 2 5 2",
    ],
    [
      "a counter object counts",
      `local c = Metrics.counter("obj.c", {description = "d"}) c:add() c:add(4) return c.kind, c.name, Metrics.get("obj.c")`,
      `"counter" "obj.c" 5`,
    ],
    [
      "a gauge object rises and falls",
      `local g = Metrics.gauge("obj.g") g:record(10) g:add(-3) return Metrics.get("obj.g")`,
      "7",
    ],
    [
      "a histogram gives its figures",
      `local h = Metrics.histogram("obj.h", {buckets = {1, 10}}) for i = 1, 20 do h:record(i) end return Metrics.get("obj.h"), Metrics.get("obj.h.count"), Metrics.get("obj.h.max"), Metrics.get("obj.h.p95")`,
      "10.5 20 20 19",
    ],
    [
      "a timer stops once, in milliseconds",
      `local t = Metrics.timer("t", {k = "v"}) local ms = t:stop() return ms >= 0, t:stop(), Metrics.get("t.count", {k = "v"}), Metrics.get("t") == ms`,
      "true nil 1 true",
    ],
    [
      "tool calls and their failures are counted",
      `Tool.execute("uuid-generator", {}) pcall(Tool.execute, "calculator", {expression = "1/"}) return Metrics.get("tool.calls", {tool = "uuid-generator"}), Metrics.get("tool.errors", {tool = "calculator"}), Metrics.get("tool.duration.count")`,
      "1 1 2",
    ],
    [
      "span gives the function's result and raises its error",
      `local v = Metrics.span("s", function() return 42 end, {a = 1}) local ok, e = pcall(Metrics.span, "s", function() error("oops", 0) end) return v, ok, tostring(e)`,
      `42 false "oops"`,
    ],
    [
      "snake_case is not needed: names are one word",
      `local n = 0 for _ in pairs(Metrics) do n = n + 1 end return n`,
      "10",
    ],
    [
      "a bad name is refused in the script",
      `Metrics.increment("a b")`,
      /^"?raises: Cannot call Metrics\.increment: "name" must be a letter/,
    ],
    [
      "so is a name of the kernel's",
      `Metrics.record("kernel.uptime", 1)`,
      /^raises: Cannot call Metrics\.record: "name" begins as the kernel's own names do/,
    ],
    ["so is a number that is none", `Metrics.record("n", 0/0)`, /^raises: .*"value" must be a number/],
    [
      "so is a label that is a table",
      `Metrics.increment("c", 1, {a = {}})`,
      /^raises: .*"labels" must be texts, numbers or booleans/,
    ],
    [
      "so are too many labels",
      `local l = {} for i = 1, 9 do l["l" .. i] = i end Metrics.increment("c", 1, l) return 1`,
      /^raises: .*"labels" may hold 8 at most: 9/,
    ],
    [
      "a name of another kind is refused",
      `Metrics.counter("obj.g")`,
      /^raises: Cannot use metric as a counter: it is a gauge: obj\.g/,
    ],
    [
      "a counter takes no record",
      `Metrics.counter("obj.c"):record(1)`,
      /^raises: Cannot call Metric:record: obj\.c is a counter/,
    ],
    [
      "buckets must rise",
      `Metrics.histogram("obj.b", {buckets = {2, 1}})`,
      /^raises: .*"buckets" must be 1 to 50 rising numbers/,
    ],
  ],
});

describe("numbers that are not waited for", () => {
  test("what is refused later is said on standard error and ends nothing", async () => {
    using box = new Sandbox();
    const done = await box.lua(`Metrics.increment("c", -1) print("on", Metrics.get("c"))`);
    expect([done.stdout, done.code]).toEqual(["on\tnil\n", 0]);
    expect(done.stderr).toContain("Cannot raise metric: counters only rise: c: -1");
  });

  test("a flood of names and labels is bounded, and said once each", async () => {
    using box = new Sandbox();
    const done = await box.lua(`
      for i = 1, 1500 do Metrics.increment("flood." .. i) end
      for i = 1, 500 do Metrics.increment("flood.1", 1, {user = i}) end
      local n = 0 for _, name in ipairs(Metrics.list()) do if name:find("^flood") then n = n + 1 end end
      print(n, Metrics.get("flood.1"), Metrics.get("flood.1", {overflow = true}))`);
    expect([done.stdout, done.code]).toEqual(["1000\t501\t301\n", 0]);
    expect(done.stderr.trim().split("\n").length).toBe(2);
  });
});
