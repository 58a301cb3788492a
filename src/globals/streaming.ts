import { AnyValue, type GlobalDecl, LuaFunction, lua, optional, param } from "./declare.ts";

/** Streams are plain Lua: a coroutine and two flags. Methods work with a dot and with a colon. */
const CREATE = `
local create, resume, status = coroutine.create, coroutine.resume, coroutine.status
local error, type = error, type

return function(producer)
  if type(producer) ~= "function" then
    error('Cannot call Streaming.create: "fn" must be a function: ' .. type(producer), 2)
  end
  local co = create(producer)
  local stream = {}

  local function advance()
    if status(co) == "dead" then return nil end
    local ok, value = resume(co)
    if not ok then error(value, 0) end
    return value
  end

  function stream.next()
    return advance()
  end

  function stream.isDone()
    return status(co) == "dead"
  end

  function stream.collect()
    local items, n = {}, 0
    while status(co) ~= "dead" do
      local value = advance()
      if value ~= nil then
        n = n + 1
        items[n] = value
      end
    end
    return items
  end

  return stream
end`;

const YIELD = `
local yield, isyieldable, error = coroutine.yield, coroutine.isyieldable, error

return function(value)
  if not isyieldable() then
    error("Cannot call Streaming.yield: it works inside a stream only", 2)
  end
  return yield(value)
end`;

export const StreamingGlobal: GlobalDecl = {
  name: "Streaming",
  doc: "Values produced one at a time by a function, read when they are wanted.",
  functions: {
    create: lua({
      doc:
        "Makes a stream of what `fn` yields (`Streaming.yield` or `coroutine.yield`) and of its last return value. " +
        "`next` gives the next value or nil at the end, `isDone` tells whether it has ended, `collect` gives all " +
        "remaining values that are not nil. An error in `fn` is raised by the call that ran into it and ends the stream.",
      params: [param("fn", LuaFunction, "The function that produces the values")],
      returns: "{next() → value, isDone() → boolean, collect() → value[]}",
      source: CREATE,
    }),
    yield: lua({
      doc: "Hands a value to the reader of the stream and pauses until the next one is wanted.",
      params: [optional("value", AnyValue, "The value")],
      returns: "nil",
      source: YIELD,
    }),
  },
};
