-- Hooks: functions that run at points of what tools and agents do, and may change it.

-- Before a tool runs: change its parameters, or refuse the call.
local guard = Hook.register("BeforeToolExecution", function(ctx)
  local params = ctx.data.params
  if params.input == "1/0" then return "division by zero is not asked here" end
  if params.input == "answer" then
    return {type = "modified", data = {params = {operation = "evaluate", input = "6*7"}}}
  end
end, "high")

print("changed:", Tool.execute("calculator", {operation = "evaluate", input = "answer"}).output)
local ok, message = pcall(Tool.execute, "calculator", {operation = "evaluate", input = "1/0"})
print("refused:", ok, tostring(message):match("a hook cancelled it: (.*)"))
guard:unregister()

-- A tool that fails now and then is repeated.
local attempts = 0
Tool.register{name = "flaky", execute = function()
  attempts = attempts + 1
  if attempts < 3 then error("not yet") end
  return "done"
end}
local retry = Hook.register("ToolError", function()
  return {type = "retry", delay_ms = 1, max_attempts = 5}
end)
print("repeated:", Tool.execute("flaky", {}).text, attempts)
retry:unregister()

-- The same question is answered from the cache.
local runs = 0
Tool.register{name = "slow", execute = function() runs = runs + 1 return "run " .. runs end}
local cache = Hook.register("BeforeToolExecution", function(ctx)
  return {type = "cache", key = JSON.stringify(ctx.data.params), ttl_ms = 60000}
end, {when = {component = "slow"}})
print("cached:", Tool.execute("slow", {q = 1}).text, Tool.execute("slow", {q = 1}).text)
cache:unregister()

-- Built-in hooks measure, log, limit and more.
Hook.enable_builtin("metrics")
for _ = 1, 3 do Tool.execute("calculator", {operation = "evaluate", input = "1+1"}) end
print("measured:", Hook.builtin_report("metrics").components["tool:calculator"].count)
print("hooks:", Hook.list{tag = "builtin"}[1].name)
