import { afterAll, describe, expect, test } from "bun:test";
import { harness } from "./harness.ts";

const h = harness();
afterAll(() => h.engine.dispose());

const errorOf = async (code: string, name?: string) =>
  (await h.run(code, name === undefined ? {} : { name })).error;

describe("an error of the kernel", () => {
  test("is a string in the script: it concatenates, matches and prints", async () => {
    const outcome = await h.run(
      "local ok, err = pcall(Host.fail, 'no disk') return {ok, type(err), 'x: ' .. err, err:match('disk'), tostring(err)}",
    );
    expect(outcome.value).toEqual([false, "string", "x: no disk", "disk", "no disk"]);
  });

  test("keeps code, data and hint when the script raises it again, with or without a position", async () => {
    for (const level of ["", ", 0"]) {
      const error = await errorOf(`local _, err = pcall(Host.fail, 'boo')\nerror(err${level})`);
      expect(error).toMatchObject({ code: "tool_failed", hint: "Try again", data: { answer: 42, line: 2 } });
    }
  });
});

describe("an uncaught error", () => {
  test("names script and line and has the script's own stack", async () => {
    const error = await errorOf(
      "local function f()\n  error('deep')\nend\nlocal function g() f() end\ng()",
      "my.lua",
    );
    expect(error).toMatchObject({
      code: "script",
      message: "my.lua:2: deep",
      data: { source: "my.lua", line: 2 },
    });
    expect(error?.traceback).toContain("my.lua:2: in upvalue 'f'");
    expect(error?.traceback).toContain("my.lua:5: in main chunk");
    expect(error?.traceback).not.toContain("llmspell");
  });

  test("may be a table, with or without a message or a text", async () => {
    expect(await errorOf("error({message = 'm', code = 7})")).toMatchObject({
      message: "m",
      data: { value: { message: "m", code: 7 } },
    });
    expect(
      (await errorOf("error(setmetatable({}, {__tostring = function() return 'told' end}))"))?.message,
    ).toBe("told");
    expect((await errorOf("error({1})"))?.message).toBe("error object is a table value");
    expect((await errorOf("error()"))?.message).toBe("nil");
  });

  test("in the syntax is told with its line", async () => {
    expect(await errorOf("local x = 1\nlocal y = = 2", "bad.lua")).toMatchObject({
      code: "script_syntax",
      message: "bad.lua:2: unexpected symbol near '='",
      data: { line: 2 },
    });
  });

  test("after a first line that starts with #! has the line of the file", async () => {
    expect((await errorOf("#!/usr/bin/env llmspell\nerror('x')"))?.message).toBe("script.lua:2: x");
  });

  test("is raised again by the next script as if nothing had been", async () => {
    await errorOf("error('x')");
    expect((await h.run("return 1")).value).toBe(1);
  });
});

test("deep recursion of every kind is an error that pcall catches", async () => {
  const outcome = await h.run(`
    local function rec() return 1 + rec() end
    local function gs() return (("x"):gsub("x", gs)) end
    local function srt() table.sort({2, 1}, function(a, b) srt() return a < b end) end
    local meta = setmetatable({}, {})
    getmetatable(meta).__index = function(t, k) return t[k] end
    local function co() return coroutine.wrap(co)() end
    local results = {}
    for _, f in ipairs({rec, gs, srt, function() return meta.x end, co}) do
      local ok, err = pcall(f)
      results[#results + 1] = not ok and err:match("stack overflow") or tostring(err)
    end
    return results`);
  expect(outcome.value).toEqual(Array(5).fill("stack overflow"));
});
