/** What each answer of a script's hook does to a tool call and to an agent's call, in the built executable. */
import { luaTable, scripted } from "../lua-api/support.ts";

const CONFIG = scripted(`
[[providers.ci.responses]]
match = "flaky"
answers = [{ error = "overloaded" }, { error = "overloaded" }, { text = "third time" }]
[[providers.ci.responses]]
match = "broken"
error = "broken model"
[[providers.ci.responses]]
text = "<{{prompt}}>"
`);

luaTable("a hook's answer at a tool call", {
  config: CONFIG,
  setup: `
  local calls = 0
  Tool.register{name = "count", execute = function(p) calls = calls + 1 return {result = calls, text = "call " .. calls} end}
  Tool.register{name = "other", execute = function(p) return {result = "other " .. tostring(p.x)} end}
  Tool.register{name = "flaky", execute = function(p) calls = calls + 1 if calls < 3 then error("flaky") end return {result = calls} end}
  local function with(point, answer, tool, params)
    calls = 0
    local hook = Hook.register(point, type(answer) == "function" and answer or function() return answer end)
    local ok, result = pcall(Tool.execute, tool or "count", params or {x = 1})
    hook:unregister()
    if not ok then return "raises", tostring(result), calls end
    return result.result, calls
  end
  local before = function(...) return with("BeforeToolExecution", ...) end
  local after = function(...) return with("AfterToolExecution", ...) end
  local failed = function(...) return with("ToolError", ...) end`,
  cases: [
    ["nil goes on", `before(nil)`, "1 1"],
    ["continue goes on", `before("continue")`, "1 1"],
    ["a number goes on", `before(42)`, "1 1"],
    ["a table of no known type goes on", `before({type = "dance"})`, "1 1"],
    ["a table without a type goes on", `before({data = {x = 2}})`, "1 1"],
    ["skip skips", `before("skip")`, "nil 0"],
    ["skipped skips", `before({type = "skipped", reason = "not needed"})`, "nil 0"],
    [
      "a text cancels",
      `before("not today")`,
      /^"raises" "Tool execution failed: Cannot run tool \\?"count\\?": a hook cancelled it: not today" 0$/,
    ],
    ["cancel cancels", `before({type = "cancel", reason = "why not"})`, /a hook cancelled it: why not" 0$/],
    [
      "modified changes the parameters",
      `before({type = "modified", data = {params = {x = 7}}}, "other")`,
      '"other 7" 0',
    ],
    ["replace gives a value", `before({type = "replace", data = "mine"})`, '"mine" 0'],
    [
      "replace gives a whole outcome",
      `before({type = "replace", data = {success = true, result = {n = 1}}})`,
      "{n=1} 0",
    ],
    [
      "redirect runs another tool with the same parameters",
      `before({type = "redirect", target = "other"})`,
      '"other 1" 0',
    ],
    [
      "redirect to a tool by its full name",
      `before({type = "redirect", target = "tool:other"})`,
      '"other 1" 0',
    ],
    [
      "redirect to nobody raises",
      `before({type = "redirect", target = "nobody"})`,
      /Tool 'nobody' not found/,
    ],
    ["retry repeats what fails", `before({type = "retry", delay_ms = 1, max_attempts = 3}, "flaky")`, "3 3"],
    [
      "retry has an end",
      `before({type = "retry", delay_ms = 1, max_attempts = 2}, "flaky")`,
      /^"raises" ".*flaky.*" 2$/,
    ],
    [
      "fork runs others beside it and gives their results",
      `
      local hook = Hook.register("BeforeToolExecution", function(ctx)
        if ctx.component_id.name ~= "count" then return nil end
        return {type = "fork", operations = {
          {id = "a", operation_type = "tool", parameters = {name = "other", params = {x = 5}}},
          {id = "b", operation_type = "tool:nobody"}}}
      end)
      local result = Tool.execute("count", {})
      hook:unregister()
      local forked = result.metadata.fork_results
      return forked.a.success, forked.a.result, forked.b.success, forked.b.error`,
      `true "other 5" false "Tool 'nobody' not found"`,
    ],
    [
      "cache answers the second call from the first",
      `
      calls = 0
      local hook = Hook.register("BeforeToolExecution", function() return {type = "cache", key = "k", ttl_ms = 60000} end)
      local first, second = Tool.execute("count", {}).result, Tool.execute("count", {}).result
      hook:unregister()
      return first, second, Tool.execute("count", {}).result, calls`,
      "1 1 2 2",
    ],
    [
      "after: modified changes the result",
      `after({type = "modified", data = {result = "changed"}})`,
      '"changed" 1',
    ],
    ["after: replace gives another", `after({type = "replace", data = "mine"})`, '"mine" 1'],
    [
      "after: retry repeats",
      `return after(function(ctx) if ctx.data.result < 4 then return {type = "retry", delay_ms = 0, max_attempts = 9} end end)`,
      "4 4",
    ],
    ["after: cancel takes the result away", `after("secret")`, /a hook cancelled it: secret" 1$/],
    ["error: replace mends it", `failed({type = "replace", data = "mended"}, "flaky")`, '"mended" 1'],
    ["error: retry repeats it", `failed({type = "retry", delay_ms = 0, max_attempts = 5}, "flaky")`, "3 3"],
    [
      "validation: cancel refuses the parameters",
      `with("ToolValidation", "wrong day")`,
      /^"raises" ".*wrong day" 0$/,
    ],
    [
      "discovery: modified tools",
      `
      local hook = Hook.register("AfterToolDiscovery", function(ctx) return {type = "modified", data = {tools = {"count"}}} end)
      local names = Tool.list()
      hook:unregister()
      return #names, names[1].name`,
      '1 "count"',
    ],
  ],
});

luaTable("a hook's answer at an agent's call", {
  config: CONFIG,
  setup: `
  local ada = Agent.create{name = "ada", model = "ci/scripted"}
  local bob = Agent.create{name = "bob", model = "ci/scripted", system_prompt = "bob"}
  local function with(point, answer, text)
    local hook = Hook.register(point, type(answer) == "function" and answer or function() return answer end)
    local ok, result = pcall(ada.execute, ada, text or "hello")
    hook:unregister()
    if not ok then return "raises", tostring(result) end
    return result.text
  end
  local before = function(...) return with("BeforeAgentExecution", ...) end
  local after = function(...) return with("AfterAgentExecution", ...) end
  local failed = function(...) return with("AgentError", ...) end`,
  cases: [
    ["nil goes on", `before(nil)`, '"<hello>"'],
    ["modified changes the input", `before({type = "modified", data = {input = "bye"}})`, '"<bye>"'],
    [
      "cancel cancels",
      `before("quiet")`,
      /^"raises" ".*Cannot run agent \\?"ada\\?": a hook cancelled it: quiet/,
    ],
    ["replace answers in its place", `before({type = "replace", data = "from the hook"})`, '"from the hook"'],
    ["replace with a table", `before({type = "replace", data = {text = "from a table"}})`, '"from a table"'],
    ["skip gives no answer", `before("skip")`, '""'],
    [
      "redirect asks another agent",
      `return before(function(ctx)
        if ctx.component_id.name == "ada" then return {type = "redirect", target = "bob"} end
        return {type = "modified", data = {input = "bob heard " .. ctx.data.input}}
      end)`,
      '"<hello>"',
    ],
    ["redirect to nobody raises", `before({type = "redirect", target = "nobody"})`, /no such agent/],
    [
      "retry repeats the model call",
      `before({type = "retry", delay_ms = 1, max_attempts = 3}, "flaky")`,
      '"third time"',
    ],
    [
      "cache answers from the first answer",
      `
      local n = 0
      local counting = Hook.register("AfterAgentExecution", function(ctx) n = n + 1 return {type = "modified", data = {output = ctx.data.output .. n}} end)
      local cache = Hook.register("BeforeAgentExecution", function() return {type = "cache", key = "k", ttl_ms = 60000} end)
      local one, two = ada:execute("one").text, ada:execute("two").text
      counting:unregister() cache:unregister()
      return one, two`,
      '"<one>1" "<one>2"',
    ],
    [
      "fork asks another agent beside it",
      `
      local told
      local fork = Hook.register("BeforeAgentExecution", function(ctx)
        return {type = "fork", operations = {{id = "b", operation_type = "agent:bob", parameters = {text = "psst"}}}}
      end)
      local look = Hook.register("AfterAgentExecution", function(ctx) if ctx.data.fork_results then told = ctx.data.fork_results.b end end)
      local text = ada:execute("hello").text
      fork:unregister() look:unregister()
      return text, told.success, told.result`,
      '"<hello>" true "<psst>"',
    ],
    [
      "after: modified changes the answer",
      `return after(function(ctx) return {type = "modified", data = {output = ctx.data.output:upper()}} end, "loud")`,
      '"<LOUD>"',
    ],
    [
      "after: the conversation holds the changed answer",
      `
      local hook = Hook.register("AfterAgentExecution", function() return {type = "modified", data = {output = "changed"}} end)
      local text = bob:execute("x").text
      hook:unregister()
      return text`,
      '"changed"',
    ],
    [
      "error: replace answers in its place",
      `failed({type = "replace", data = "sorry"}, "broken")`,
      '"sorry"',
    ],
    ["error: nothing leaves the failure", `failed(nil, "broken")`, /broken model/],
    [
      "init: cancel refuses the agent",
      `
      local hook = Hook.register("BeforeAgentInit", function() return "full" end)
      local ok, message = pcall(Agent.create, {name = "eve", model = "ci/scripted"})
      hook:unregister()
      return ok, tostring(message):match("full"), Agent.get("eve")`,
      'false "full" nil',
    ],
    [
      "shutdown: cancel keeps the agent",
      `
      local hook = Hook.register("BeforeAgentShutdown", function() return "needed" end)
      local ok = pcall(bob.destroy, bob)
      hook:unregister()
      return ok, Agent.get("bob") ~= nil`,
      "false true",
    ],
  ],
});

luaTable("the Hook global", {
  config: CONFIG,
  setup: `local function noop() end`,
  cases: [
    [
      "a handle tells its id and point",
      `
      local hook = Hook.register("before_tool_execution", noop)
      local id, point = hook:id(), hook:hook_point()
      local entry = Hook.list()[1]
      return point, entry.name == "lua_" .. id, entry.priority, entry.language, entry.version, table.concat(entry.tags, ","), hook:unregister(), hook:unregister()`,
      '"BeforeToolExecution" true "Priority(0)" "lua" "1.0.0" "cross-language,lua" true false',
    ],
    [
      "a handle of a hook that is gone raises",
      `
      local hook = Hook.register("ToolError", noop)
      Hook.unregister(hook)
      local a, b = pcall(hook.id, hook), pcall(hook.hook_point, hook)
      return a, b, Hook.unregister(hook), Hook.unregister("x"), Hook.unregister(nil)`,
      "false false false false false",
    ],
    [
      "an unknown point raises",
      `pcall(Hook.register, "BeforeToolExecutio", noop)`,
      'false "Unknown hook point: BeforeToolExecutio"',
    ],
    ["a callback that is no function raises", `(pcall(Hook.register, "ToolError", 5))`, "false"],
    ["an unknown priority raises", `(pcall(Hook.register, "ToolError", noop, "urgent"))`, "false"],
    [
      "list is sorted by priority and filtered",
      `
      local made = {}
      for _, p in ipairs{"low", "highest", "normal", "lowest", "high"} do made[#made + 1] = Hook.register("ToolError", noop, p) end
      made[#made + 1] = Hook.register("AgentError", noop, {priority = -5, tags = {"mine"}, name = "mine"})
      local function of(filter) local t = {} for i, e in ipairs(Hook.list(filter)) do t[i] = e.priority:match("-?%d+") end return table.concat(t, " ") end
      local all, point, named, tag, high, none = of(), of("tool_error"), of{hook_point = "AgentError"}, of{tag = "mine"}, of{priority = "high"}, of{language = "python"}
      for _, hook in ipairs(made) do hook:unregister() end
      return all, point, named, tag, high, none, #Hook.list()`,
      '"-2147483648 -100 -5 0 100 2147483647" "-2147483648 -100 0 100 2147483647" "-5" "-5" "-100" "" 0',
    ],
    [
      "a handle that is collected leaves its hook alone",
      `
      Hook.register("ToolError", noop, {name = "kept"})
      for _ = 1, 5 do collectgarbage() end
      Tool.exists("calculator")
      return #Hook.list()`,
      "1",
    ],
    [
      "hooks run by priority, equal ones in the order of registration",
      `
      local order, made = {}, {}
      for i, p in ipairs{"low", "normal", "high", "normal", "lowest", "highest"} do
        made[i] = Hook.register("BeforeToolExecution", function() order[#order + 1] = p .. i end, p)
      end
      Tool.execute("calculator", {input = "1"})
      for _, hook in ipairs(made) do hook:unregister() end
      return table.concat(order, " ")`,
      '"highest6 high3 normal2 normal4 low1 lowest5"',
    ],
    [
      "a condition",
      `
      local n = 0
      local hook = Hook.register("BeforeToolExecution", function() n = n + 1 end, {when = {component = "calc*", path = "data.params.input", equals = "2"}})
      for _, input in ipairs{"1", "2"} do Tool.execute("calculator", {input = input}) end
      Tool.execute("hash-calculator", {input = "2", operation = "hash"})
      hook:unregister()
      return n`,
      "1",
    ],
    [
      "a composite hook votes",
      `
      local hook = Hook.register_composite("BeforeToolExecution", "voting", {function() return "no" end, noop, function() return "nay" end})
      local ok, message = pcall(Tool.execute, "calculator", {input = "1"})
      hook:unregister()
      return ok, tostring(message):match("it: (.*)$")`,
      'false "no"',
    ],
    [
      "figures",
      `
      local hook = Hook.register("BeforeToolExecution", noop, {name = "measured"})
      for i = 1, 3 do Tool.execute("calculator", {input = "1"}) end
      local f = Hook.metrics("measured")[1]
      hook:unregister()
      return f.count, f.failures, f.breaker, f.min_ms <= f.p50_ms and f.p50_ms <= f.max_ms`,
      '3 0 "closed" true',
    ],
    [
      "a built-in hook",
      `
      local hook = Hook.enable_builtin("metrics")
      Tool.execute("calculator", {input = "1"})
      local report = Hook.builtin_report("metrics")
      local listed = Hook.list{tag = "builtin"}[1].name
      return report.count, report.components["tool:calculator"].count, listed, Hook.disable_builtin("metrics"), Hook.disable_builtin("metrics"), (pcall(hook.id, hook))`,
      '1 1 "metrics" true false false',
    ],
    ["a built-in hook with a wrong option", `(pcall(Hook.enable_builtin, "retry", {attempts = 3}))`, "false"],
  ],
});
