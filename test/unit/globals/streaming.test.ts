import { describe, expect, test } from "bun:test";
import { runScript } from "./lua-globals-harness.ts";

describe("Streaming", () => {
  test("gives what the function yields, then its last value, then nil", async () => {
    const lines = await runScript(`
      local s = Streaming.create(function()
        Streaming.yield("a")
        coroutine.yield("b")
        return "last"
      end)
      print(s:isDone(), s:next(), s.next(), s:isDone(), s:next(), s:isDone(), s:next())
    `);
    expect(lines).toEqual(["false\ta\tb\tfalse\tlast\ttrue\tnil"]);
  });

  test("runs the function only as far as values are asked for", async () => {
    const lines = await runScript(`
      local s = Streaming.create(function() for i = 1, 3 do print("made", i) Streaming.yield(i) end end)
      print("before") print(s:next()) print(s:next())
    `);
    expect(lines).toEqual(["before", "made\t1", "1", "made\t2", "2"]);
  });

  test("collects the remaining values and leaves nil out, not false", async () => {
    const lines = await runScript(`
      local s = Streaming.create(function()
        for i = 1, 4 do Streaming.yield(i) end
        Streaming.yield(nil) Streaming.yield(false)
        return 6
      end)
      s:next()
      local rest = s:collect()
      print(#rest, table.unpack((function() local t = {} for i, v in ipairs(rest) do t[i] = tostring(v) end return t end)()))
      print(s:isDone(), #s:collect())
    `);
    expect(lines).toEqual(["5\t2\t3\t4\tfalse\t6", "true\t0"]);
  });

  test("raises an error of the function where it is read, unchanged, and is then done", async () => {
    const lines = await runScript(`
      local reason = { code = 7 }
      local s = Streaming.create(function() Streaming.yield(1) error(reason) end)
      print(s:next())
      local ok, err = pcall(s.next, s)
      print(ok, err == reason, s:isDone(), s:next())
      local t = Streaming.create(function() error("boom") end)
      print(pcall(t.collect, t))
    `);
    expect(lines).toEqual(["1", "false\ttrue\ttrue\tnil", "false\tscript.lua:7: boom"]);
  });

  test("feeds one stream from another", async () => {
    const lines = await runScript(`
      local numbers = Streaming.create(function() for i = 1, 5 do Streaming.yield(i) end end)
      local squares = Streaming.create(function()
        while true do
          local n = numbers:next()
          if n == nil then return end
          Streaming.yield(n * n)
        end
      end)
      print(table.concat(squares:collect(), " "))
    `);
    expect(lines).toEqual(["1 4 9 16 25"]);
  });

  test("refuses what is no function, yielding outside a stream, and reading a stream from within itself", async () => {
    const lines = await runScript(`
      print(select(2, pcall(Streaming.create, 5)))
      print(select(2, pcall(Streaming.yield, 1)))
      local s
      s = Streaming.create(function() return s:next() end)
      print(pcall(s.next, s))
    `);
    expect(lines[0]).toContain('"fn" must be a function: number');
    expect(lines[1]).toContain("inside a stream only");
    expect(lines[2]).toStartWith("false\t");
  });

  test("works inside coroutines and in scripts that have none of their own", async () => {
    const nested = `local outer = coroutine.wrap(function()
      local s = Streaming.create(function() Streaming.yield(1) end)
      coroutine.yield(s.next()) Streaming.yield(2)
    end) print(outer(), outer())`;
    expect(await runScript(nested)).toEqual(["1\t2"]);
    const bare = `local s = Streaming.create(function() Streaming.yield(1) end) print(coroutine, s.next())`;
    expect(await runScript(bare, "None")).toEqual(["nil\t1"]);
  });
});
