/** spec/lua-api.md sections 12, 20 and 21. What stock Lua gives was compared with Debian's lua5.4. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { luaTable } from "./support.ts";

luaTable("The globals", {
  cases: [
    [
      "are found by iterating over _G",
      `local names = {} for name, value in pairs(_G) do if type(value) == "table" and name:find("^%u") then names[name] = true end end for _, name in ipairs{"Agent", "Tool", "Config", "Provider", "Debug", "JSON", "ARGS", "Streaming", "LocalLLM", "Logger", "Utils"} do assert(names[name], name) end return _VERSION`,
      `"Lua 5.4"`,
    ],
    [
      "leave out what is absent, so that scripts can probe",
      "RAG, Graph, Session, Embedding, Kernel, debug",
      "nil nil nil nil nil nil",
    ],
    [
      "have nothing under unknown names",
      "Agent.nope, Config.nope, Provider.nope, Debug.nope, JSON.nope, Streaming.nope, LocalLLM.nope, Logger.info",
      "nil nil nil nil nil nil nil nil",
    ],
    [
      "can be stored in locals",
      "local parse, get = JSON.parse, Config.get return parse('1'), get('default_engine')",
      `1 "lua"`,
    ],
  ],
});

luaTable("ARGS", {
  args: [
    "a",
    "--input",
    "in.txt",
    "--output-dir=out",
    "b",
    "--equation=x=y",
    "--negative",
    "-1",
    "--verbose",
    "--last",
  ],
  cases: [
    ["has the script's name at 0", `ARGS[0], ARGS["0"], arg[0]`, `"script.lua" "script.lua" "script.lua"`],
    [
      "has positionals by number and by text",
      `#ARGS, ARGS[1], ARGS["1"], ARGS[2], ARGS["2"], ARGS[3]`,
      `2 "a" "a" "b" "b" nil`,
    ],
    ["has them in arg, and nothing else", `#arg, arg[1], arg[2], arg.input`, `2 "a" "b" nil`],
    [
      "has named values, split at the first =",
      `ARGS.input, ARGS["output-dir"], ARGS.equation`,
      `"in.txt" "out" "x=y"`,
    ],
    ["takes a value that starts with one dash", "ARGS.negative", `"-1"`],
    ["has flags as text", "ARGS.verbose, ARGS.last", `"true" "true"`],
    ["has lower-case and capital names", "args == ARGS, Args == ARGS", "true true"],
  ],
});

luaTable("ARGS without arguments", {
  cases: [["are tables all the same", "#ARGS, #arg, ARGS.input, arg[1], arg[0]", `0 0 nil nil "script.lua"`]],
});

luaTable("Standard Lua", {
  cases: [
    [
      "has integers, floats and bit operators",
      "7 // 2, 7.5 // 2, 2^10, 3 & 1, 1 << 4, ~0, math.maxinteger + 1 == math.mininteger",
      "3 3.0 1024.0 1 16 -1 true",
    ],
    [
      "keeps stock conversions outside print",
      `tostring(3.0), 3.0 .. "", ("%s %d %5.2f"):format(3.0, 3, 3.14159)`,
      `"3.0" "3.0" "3.0 3  3.14"`,
    ],
    [
      "has strings, utf8 and packing",
      `("x"):rep(3), utf8.len("\\u{e9}"), #"\\u{e9}", string.pack("<i2", 258):byte(1, -1)`,
      `"xxx" 1 2 2 1`,
    ],
    [
      "has goto and closing variables",
      "local i, log = 0, {} ::top:: do local c <close> = setmetatable({}, {__close = function() log[#log + 1] = i end}) i = i + 1 end if i < 3 then goto top end return log",
      "{1, 2, 3}",
    ],
    [
      "has coroutines",
      "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end) local _, x = coroutine.resume(co, 1) local _, y = coroutine.resume(co, 10) return x, y, coroutine.status(co), coroutine.close(co), coroutine.isyieldable()",
      `2 20 "dead" true false`,
    ],
    [
      "has error objects of every kind",
      "return select(2, pcall(error, {code = 42})).code, select(2, pcall(error)), select(2, pcall(error, 'plain', 0)), tostring(select(2, pcall(error, setmetatable({}, {__tostring = function() return 'E' end}))))",
      `42 nil "plain" "E"`,
    ],
    [
      "has os.time, date, clock, getenv, difftime",
      `os.date("!%Y-%m-%d %H:%M", 86400), os.time{year = 2000, month = 1, day = 1, hour = 0}, os.difftime(3, 1), type(os.clock()), os.getenv("NOT_SET"), os.getenv("TZ")`,
      `"1970-01-02 00:00" 946684800 2.0 "number" nil "UTC"`,
    ],
    [
      "collects garbage",
      `type(collectgarbage("count")), collectgarbage("collect"), collectgarbage()`,
      `"number" 0 0`,
    ],
    [
      "loads text, not bytecode",
      `return load("return ...")(5), select("#", load("x =")), load(string.dump(function() end)) == nil, load("return y", "c", "t", {y = 9})(), load("return 1", "c", "b")`,
      /^5 2 true 9 nil "/,
    ],
    [
      "names chunk and line in errors",
      `select(2, load("\\n\\nerror('e')", "=mine")) , select(2, pcall(load("\\n\\nerror('e')", "=mine")))`,
      `nil "mine:3: e"`,
    ],
  ],
});

luaTable("What the policy refuses", {
  cases: [
    [
      "answers nil and a message",
      `for _, f in ipairs{function() return os.execute("true") end, function() return io.popen("true") end, function() return io.open("/etc/passwd") end, function() return os.remove("x") end, function() return os.rename("x", "y") end} do local value, message = f() assert(value == nil and message:find("Permission denied"), message) end return os.execute()`,
      "false",
    ],
    [
      "leaves no way to C modules and no debug library",
      `package.loadlib, package.cpath, debug, pcall(require, "lfs")`,
      /^nil "" nil false "/,
    ],
    [
      "keeps chunks outside the directories from loading",
      `loadfile("/etc/hostname"), pcall(dofile, "/etc/hostname"), pcall(require, "../../etc/hostname")`,
      /^nil false false "/,
    ],
    [
      "leaves console input and output",
      `io.read("l"), io.read(0), type(io.write), type(io.stdout), io.flush() ~= nil, io.stderr:write("") ~= nil`,
      /^nil nil "function" "userdata" (true|false) true$/,
    ],
  ],
});

luaTable("Modules", {
  files: {
    "m.lua": "local M = {name = ...} return M",
    "dir/init.lua": "return 'the directory'",
    "d.lua": "return 'done', ...",
    "bad.lua": "\nx = = 1",
    "raises.lua": "\n\nerror('in the module')",
  },
  cases: [
    [
      "are found beside the script, once",
      `require("m").name, require("m") == require("m"), require("dir"), package.loaded.m.name`,
      `"m" true "the directory" "m"`,
    ],
    [
      "name their file and line in errors",
      `pcall(require, "raises"), pcall(require, "bad")`,
      /^false false ".*bad\.lua:2:/,
    ],
    [
      "list what was tried when there is none",
      `select(2, pcall(require, "nowhere"))`,
      /module 'nowhere' not found.*nowhere\.lua/,
    ],
    [
      "can be preloaded",
      `package.preload.mine = function(name) return {called = name} end return require("mine").called`,
      `"mine"`,
    ],
    [
      "load by dofile and loadfile",
      `dofile("d.lua"), loadfile("d.lua")("x"), (loadfile("bad.lua")), select("#", loadfile("none.lua")), (pcall(dofile, "none.lua"))`,
      `"done" "done" nil 2 false`,
    ],
    ["load into an environment", `local env = {} loadfile("m.lua", "t", env)("x") return env._G`, "nil"],
  ],
});

describe("What a script prints", () => {
  /** Lua code and the exact bytes of standard output. */
  const cases: [name: string, lua: string, output: string | Uint8Array][] = [
    ["values between tabs", `print(1, "a", nil, true)`, "1\ta\tnil\ttrue\n"],
    ["floats of integral value without .0", "print(3.0, -2.0, 3.5, 1e100)", "3\t-2\t3.5\t1e+100\n"],
    [
      "type words without addresses",
      "print({}, print, coroutine.create(print))",
      "table\tfunction\tthread\n",
    ],
    ["what __tostring says", `print(setmetatable({}, {__tostring = function() return "me" end}))`, "me\n"],
    ["an empty line for nothing", "print()", "\n"],
    [
      "written text and numbers, chained",
      `io.write("a", 1, 2.5):write("b\\n") io.stdout:write("c\\n") io.flush() io.stdout:flush()`,
      "a12.5b\nc\n",
    ],
    ["bytes as they are", `print("\\0\\255") io.write("\\254")`, new Uint8Array([0, 255, 10, 254])],
    ["everything before os.exit", `io.write("kept") os.exit(0)`, "kept"],
    ["nothing for what it returns", "return {1}", ""],
    [
      "its lines in order with Debug's",
      `print("1") Debug.clearCaptured() io.write("2\\n") print("3")`,
      "1\n2\n3\n",
    ],
  ];
  for (const [name, lua, output] of cases) {
    test(name, async () => {
      using box = new Sandbox();
      const done = await box.lua(lua);
      expect([done.code, done.stderr]).toEqual([0, ""]);
      if (typeof output === "string") expect(done.stdout).toBe(output);
      else expect([...done.stdoutBytes]).toEqual([...output]);
    });
  }

  test("cannot be a table through io.write", async () => {
    using box = new Sandbox();
    const done = await box.lua("print(pcall(io.write, {}), pcall(io.write, true))");
    expect(done.stdout).toMatch(/^false\tfalse\t.*io\.write.*string expected/);
  });
});

describe("How a script ends", () => {
  const cases: [lua: string, code: number][] = [
    ["return 5", 0],
    ["os.exit()", 0],
    ["os.exit(true)", 0],
    ["os.exit(false)", 1],
    ["os.exit(7)", 7],
    ["os.exit(3, true)", 3],
    ["pcall(os.exit, 4) os.exit(5)", 4],
    ["coroutine.wrap(function() os.exit(6) end)()", 6],
    ["Tool.register('leave', function() os.exit(8) end) Tool.execute('leave')", 8],
    ["error('e')", 1],
    ["local x = = 1", 1],
  ];
  for (const [lua, code] of cases) {
    test(`${lua}: ${code}`, async () => {
      using box = new Sandbox();
      const done = await box.lua(lua);
      expect(done.code).toBe(code);
      if (!lua.startsWith("os.exit") && code === 1)
        expect(done.stderr).toContain("Script execution failed: script.lua:1:");
    });
  }

  test("a first line of #! is skipped and lines keep their numbers", async () => {
    using box = new Sandbox();
    const done = await box.lua(
      "#!/usr/bin/env llmspell\nprint(pcall(error, 'e', 1))\nprint(select(2, pcall(function()\nerror('here') end)))",
    );
    expect(done.stdout).toEndWith("script.lua:4: here\n");
  });

  test("an error raised by a global shows the script's line", async () => {
    using box = new Sandbox();
    const done = await box.lua("local function f()\n  Tool.execute('nope')\nend\nf()");
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("Script execution failed: Tool 'nope' not found");
    expect(done.stderr).toContain("script.lua:2:");
  });

  /** The value a script returns, and the `output` of the JSON document. */
  const results: [lua: string, output: unknown][] = [
    ["return nil", null],
    ["return 3.0, 4", 3],
    ["return 0/0", null],
    ["return {}", {}],
    ["return {1, {2}, {a = true}}", [1, [2], { a: true }]],
    ["return {1, 2, x = 3}", { x: 3 }],
    ["return {f = print, t = coroutine.create(print)}", { f: "<function>", t: "<thread>" }],
    ["return print", "<function>"],
    ['return "\\255"', "/w=="],
  ];
  for (const [lua, output] of results) {
    test(`${lua} is the result in JSON`, async () => {
      using box = new Sandbox();
      box.write("script.lua", `print("line")\n${lua}`);
      const done = await box.run(["--output", "json", "run", "script.lua"]);
      const document = JSON.parse(done.stdout);
      expect([document.status, document.console, document.output]).toEqual(["success", ["line"], output]);
      expect(document.result).toBe(output === null ? "line" : `line\n${JSON.stringify(output)}`);
    });
  }

  test("integers beyond 2^53 are exact in the document, also in an error object", async () => {
    using box = new Sandbox();
    const ok = await box.run([
      "--output",
      "json",
      "exec",
      "return {b = math.maxinteger, a = math.mininteger}",
    ]);
    expect(ok.stdout).toContain('"output":{"a":-9223372036854775808,"b":9223372036854775807}');
    const failed = await box.run(["--output", "json", "exec", "error({code = math.maxinteger})"]);
    expect([failed.code, failed.stdout.includes('"value":{"code":9223372036854775807}')]).toEqual([1, true]);
  });

  test("input is read by lines, numbers and whole", async () => {
    using box = new Sandbox();
    const lua =
      'print(io.read("l")) print(io.read("n")) print(io.read("L")) io.write(io.read("a")) print(io.read("l"), io.read("a"))';
    const done = await box.lua(lua, { stdin: "first\n42 rest\nlast 1\nlast 2\n" });
    expect(done.stdout).toBe("first\n42\n rest\n\nlast 1\nlast 2\nnil\t\n");
  });
});
