import { afterAll, describe, expect, test } from "bun:test";
import { harness } from "./harness.ts";

const h = harness();
afterAll(() => h.engine.dispose());

async function value(code: string): Promise<unknown> {
  const outcome = await h.run(code);
  expect(outcome.error).toBeUndefined();
  return outcome.value;
}

describe("a call", () => {
  test("waits inside pcall, comparators, gsub, metamethods and coroutines", async () => {
    expect(
      await value(`local t = {3, 1, 2}
        table.sort(t, function(a, b) return Host.slowly(a) < Host.slowly(b) end)
        local meta = setmetatable({}, {__index = function(_, k) return Host.slowly(k) end})
        local co = coroutine.wrap(function() coroutine.yield(Host.slowly("in")) end)
        return {t, (("ab"):gsub("%w", function(c) return Host.slowly(c) .. "!" end)), meta.key, co(), select(2, pcall(Host.slowly, 9))}`),
    ).toEqual([[1, 2, 3], "a!b!", "key", "in", 9]);
  });

  test("that does not wait keeps its order with later calls", async () => {
    expect(
      await value("for i = 1, 500 do Host.note(i) end local n = Host.notes() return {#n, n[1], n[500]}"),
    ).toEqual([500, 1, 500]);
  });

  test("may be local or written in Lua", async () => {
    expect(await value("return {Host.double(21), Host.triple(14), Host.options({a = 1, b = 2})}")).toEqual([
      42, 42, 2,
    ]);
  });

  test("is found under both spellings, of which iteration sees one", async () => {
    expect(
      await value(`local seen = 0
        for k in pairs(Host) do if k == "apply_many" or k == "applyMany" then seen = seen + 1 end end
        return {Host.applyMany == nil, Host.apply_many == nil, seen}`),
    ).toEqual([false, false, 1]);
  });

  test("on a global that answers any key gives nil for an absent one", async () => {
    expect(await value('return {Names.one, Names["a-b"], Names.absent == nil}')).toEqual([
      "<one>",
      "<a-b>",
      true,
    ]);
  });

  test("tells which argument is wrong", async () => {
    expect(await value("return select(2, pcall(Host.fail, {}))")).toBe(
      'Cannot call Host.fail: "message" must be a string: table',
    );
  });
});

describe("a kernel object", () => {
  test("has methods for colon, dot and explicit self, aliases, both spellings and fields", async () => {
    expect(
      await value(
        "local c = Host.counter('m') c:add(1) c.add(2) c.add(c, 3) return {c:increase(0), c:addMore(0), c.name}",
      ),
    ).toEqual([6, 6, "m"]);
  });

  test("is the same table each time it crosses, and crosses back as itself", async () => {
    expect(
      await value(
        "local c = Host.counter('same') return {c == Host.counter('same'), c == Host.echo(c), c ~= Host.counter('x')}",
      ),
    ).toEqual([true, true, true]);
  });

  test("can be fetched again after the script's table was collected", async () => {
    expect(
      await value(`Host.counter("again"):add(5)
        collectgarbage() collectgarbage() Host.echo(1)
        return Host.counter("again"):add(0)`),
    ).toBe(5);
  });
});

describe("a local object", () => {
  test("keeps its state through chained calls with dot or colon and is one table", async () => {
    expect(
      await value("local l = Host.list() local m = l:put(1).put('x'):put({y = 2}) return {l == m, l:send()}"),
    ).toEqual([true, [1, "x", { y: 2 }]]);
  });

  test("cannot be passed to the kernel", async () => {
    expect(await value("return select(2, pcall(Host.echo, {Host.list()}))")).toBe(
      "Cannot pass a List to the kernel",
    );
  });
});

describe("a script function that the kernel calls", () => {
  test("gets arguments, gives its first result, and nests", async () => {
    expect(
      await value(`local function down(n) if n == 0 then return "ground" end return Host.apply(down, n - 1) end
        return {Host.apply(function(a, b) return a .. b, "lost" end, 1, "x"), down(30)}`),
    ).toEqual(["1x", "ground"]);
  });

  test("nested without end is a limit that pcall catches and that leaves the VM usable", async () => {
    const outcome = await h.run("local function f() return Host.apply(f) end f()");
    expect(outcome.error?.code).toBe("limit");
    expect(outcome.error?.data?.limit).toBe("callback_depth");
    expect(await value("local function f() return Host.apply(f) end return (pcall(f))")).toBe(false);
  });

  test("may be pending 100,000 times, waiting ones among them", async () => {
    expect(await value("return Host.apply_many(function(i) return i end, 100000)")).toBe(100_000);
    expect(await value("return Host.apply_many(function(i) return Host.slowly(i) end, 2000)")).toBe(2000);
  }, 60_000);

  test("makes its calls on behalf of the tasks that wait for it, and these are blocked meanwhile", async () => {
    expect(
      await value(`return Host.in_task("outer", function()
        return Host.in_task("inner", function() return Host.tasks() end)
      end)`),
    ).toEqual(["outer", "inner"]);
    expect(h.blocked().map((task) => task.label)).toEqual(["outer", "inner"]);
    expect(await value("return #Host.tasks()")).toBe(0);
    expect(h.blocked()).toEqual([]);
  });

  test("comes back to the script as the same function", async () => {
    expect(await value("local f = function() end return Host.echo(f) == f")).toBe(true);
  });

  test("passes its error on to the script, kind and hint included", async () => {
    const outcome = await h.run("Host.apply(function() Host.fail('inner') end)");
    expect(outcome.error).toMatchObject({ code: "tool_failed", message: "inner", hint: "Try again" });
  });
});

test("several VMs run at once and share no globals", async () => {
  const other = harness();
  const [a, b] = await Promise.all([
    h.run("shared = 'a' return Host.slowly(shared)"),
    other.run("return Host.slowly(tostring(shared))"),
  ]);
  expect([a.value, b.value]).toEqual(["a", "nil"]);
  await other.engine.dispose();
});

test("globals of a script stay for the next execution, locals do not", async () => {
  await h.run("kept = 1 local lost = 2");
  expect(await value("return {kept, lost == nil}")).toEqual([1, true]);
});
