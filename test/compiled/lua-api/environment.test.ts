/** spec/lua-api.md sections 12, 20 and 21. What stock Lua gives was compared with Debian's lua5.4. */
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
