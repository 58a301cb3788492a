/** spec/lua-api.md section 13. */
import { luaTable } from "./support.ts";

luaTable("Streaming", {
  setup: `
    local function stream() return Streaming.create(function()
      coroutine.yield(1) Streaming.yield("two") coroutine.yield(nil) return 3
    end) end
    local function failing() return Streaming.create(function() coroutine.yield(1) error("went wrong") end) end`,
  cases: [
    [
      "gives what is yielded, then what is returned, then nil",
      `local s = stream() return s:next(), s:next(), s:next(), s:next(), s:next()`,
      `1 "two" nil 3 nil`,
    ],
    [
      "is done when the function has ended",
      `local s = stream() local before = s:isDone() s:collect() return before, s:isDone()`,
      "false true",
    ],
    [
      "collects the remaining values that are not nil",
      `local s = stream() s:next() return s:collect()`,
      `{"two", 3}`,
    ],
    [
      "takes calls with a dot",
      `local s = stream() return s.next(), s.isDone(), s.collect()`,
      `1 false {"two", 3}`,
    ],
    ["may be empty", `Streaming.create(function() end):collect()`, "{}"],
    [
      "raises the function's error and has then ended",
      `local s = failing() s:next() local ok, err = pcall(s.next, s) return ok, err, s:isDone(), s:next()`,
      /^false "script\.lua:\d+: went wrong" true nil$/,
    ],
    [
      "raises an error object as it is",
      `select(2, pcall(Streaming.create(function() error({code = 7}) end).next)).code`,
      "7",
    ],
    [
      "may call tools between values",
      `Streaming.create(function() for i = 1, 3 do coroutine.yield(Tool.execute("calculator", {expression = i .. "*2"}).result.result) end end):collect()`,
      "{2, 4, 6}",
    ],
    [
      "wants a function",
      `pcall(Streaming.create), pcall(Streaming.create, {})`,
      /^false false ".*must be a function/,
    ],
    ["cannot yield outside", `Streaming.yield(1)`, /^raises: .*inside a stream/],
  ],
});
