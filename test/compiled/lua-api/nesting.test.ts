/**
 * Calls within calls: tools written in Lua that ask agents, whose tools ask again, from every place in Lua where a call may
 * stand (spec/lua-api.md section 21, rows 1 and 2).
 */
import { luaTable, scripted } from "./support.ts";

/** An agent of this system prompt calls the tool at every message, and answers with what the tool said. */
const calls = (system: string, tool: string) => `
[[providers.ci.responses]]
system = "${system}"
after_tool = "${tool}"
text = "${system}({{tool_result}})"
[[providers.ci.responses]]
system = "${system}"
tool_calls = [{ name = "${tool}", arguments = { q = "from ${system}" } }]
`;

const CONFIG = scripted(`
${calls("outer", "ask-middle")}${calls("middle", "ask-inner")}${calls("selfish", "ask-selfish")}
${calls("ping", "ask-pong")}${calls("pong", "ask-ping")}${calls("member", "ask-inner")}${calls("looped", "ask-all")}
[[providers.ci.responses]]
model = "never"
text = "too late"
delay_ms = 600000
[[providers.ci.responses]]
text = "<{{prompt}}>"
`);

const AGENTS = `
  local function agent(name, ...) return Agent.create{name = name, model = "ci/scripted", system_prompt = name:match("%a+"), tools = {...}} end
  local function asks(name)
    Tool.register{name = "ask-" .. name, parameters = {q = "string"}, execute = function(p) return Agent.get(name):complete(p.q) end}
  end
  local inner = agent("inner") asks("inner")
  local middle = agent("middle", "ask-inner") asks("middle")
  local outer = agent("outer", "ask-middle")`;

luaTable("Agents that ask agents through tools of the script", {
  config: CONFIG,
  setup: `${AGENTS}
    asks("selfish") local selfish = agent("selfish", "ask-selfish")
    asks("ping") asks("pong") local ping = agent("ping", "ask-pong") agent("pong", "ask-ping")
    local members = {} for i = 1, 8 do members[i] = agent("member" .. i, "ask-inner").name end
    asks("all")`,
  cases: [
    ["answer three deep", "outer:complete('go')", `"outer(middle(<from middle>))"`],
    ["answer so again in the next turn", "outer:complete('more')", `"outer(middle(<from middle>))"`],
    [
      "answer so in a coroutine",
      "return coroutine.wrap(function() return outer:complete('go') end)()",
      `"outer(middle(<from middle>))"`,
    ],
    [
      "are told of a deadlock at once when they ask themselves",
      "selfish:complete('go')",
      /^"selfish\(Error: Cannot run agent "selfish": it waits for the call that asks for it/,
    ],
    [
      "are told of a deadlock at once when they ask each other in a circle",
      "ping:complete('go')",
      /^"ping\(pong\(Error: Cannot run agent "ping": it waits for the call that asks for it/,
    ],
    [
      "can be used after a deadlock",
      "selfish:get_state(), ping:get_state(), selfish:complete('x'):find('waits') ~= nil",
      `"Ready" "Ready" true`,
    ],
    [
      "answer side by side in a parallel composite",
      `Agent.create_composite("all", members, "parallel") local r = Agent.get("all"):execute("go") local count = 0 for _, text in pairs(r.metadata.agent_outputs) do assert(text == "member(<from member>)", text) count = count + 1 end return count`,
      "8",
    ],
    [
      "vote",
      `Agent.create_composite("vote", members, "vote") return Agent.get("vote"):complete("go")`,
      `"member(<from member>)"`,
    ],
    [
      "answer in a parallel composite within another",
      `Agent.create_composite("two", {"all", "outer"}, "parallel") return Agent.get("two"):execute("go").metadata.agent_outputs.outer`,
      `"outer(middle(<from middle>))"`,
    ],
    [
      "cannot ask the composite they are part of",
      `Agent.get("all"):destroy() agent("looped", "ask-all") Agent.create_composite("all", {"looped", "member1"}, "parallel") return Agent.get("all"):execute("go").metadata.agent_outputs.looped`,
      /^"looped\(Error: Cannot run agent "all": it waits/,
    ],
    [
      "answer in a batch of tools",
      `local r = Tool.batch{{name = "ask-inner", params = {q = "1"}}, {name = "ask-middle", params = {q = "2"}}, {name = "ask-inner", params = {q = "3"}}} return r[1].text, r[2].text, r[3].text`,
      `"<1>" "middle(<from middle>)" "<3>"`,
    ],
    [
      "answer while another streams",
      `local texts = {} outer:invokeStream("go", function(c) if c.text ~= "" then texts[#texts + 1] = inner:complete("s") end end) return texts[1]`,
      `"<s>"`,
    ],
    [
      "raise through every layer",
      `Tool.register("fails", function() error("at the bottom") end) Tool.register("passes", function() return Tool.execute("fails").text end) return Tool.execute("passes")`,
      /^raises: .*at the bottom$/,
    ],
  ],
});

luaTable("A call that nobody waits for any more", {
  config: CONFIG,
  setup: `local never = Agent.create{name = "never", model = "ci/never"}`,
  cases: [
    [
      "ends with the tool that made it",
      `local seen Tool.register{name = "slow", timeout_ms = 50, execute = function() local ok, err = pcall(never.complete, never, "x") seen = tostring(err) error(err, 0) end} local ok, err = pcall(Tool.execute, "slow", {}) return ok, err:find("timed out") ~= nil, seen:find("timed out") ~= nil, never:get_state()`,
      `false true true "Ready"`,
    ],
    [
      "ends with the turn that made it",
      `Agent.builder():name("short"):model("ci/scripted"):system_prompt("inner"):timeout_ms(50):build() local pieces = {} local result = Agent.get("short"):invokeStream("x", function(c) pieces[#pieces + 1] = c.metadata.is_final if not c.metadata.is_final then pieces[#pieces + 1] = select(2, pcall(never.complete, never, "x")):match("max_execution_time") end end) return result.success, pieces`,
      `false {false, "max_execution_time", true}`,
    ],
  ],
});

luaTable("A tool of the script that only computes ends at its time limit, and the script goes on", {
  config: CONFIG,
  setup: `local never = Agent.create{name = "never", model = "ci/never"}
    local function timesOut(execute)
      Tool.register{name = "busy", timeout_ms = 50, execute = execute}
      local ok, err = pcall(Tool.execute, "busy", {})
      local sum = 0
      for i = 1, 100000 do sum = sum + i end
      Tool.register("after", function() return "served" end)
      return ok, tostring(err):match("timed out: timeout of 50 ms"), sum, Tool.execute("after", {}).text
    end`,
  cases: [
    ["in a loop", `return timesOut(function() while true do end end)`],
    [
      "in a loop that catches every error",
      `return timesOut(function() while true do pcall(function() while true do end end) end end)`,
    ],
    ["in a coroutine", `return timesOut(function() coroutine.wrap(function() while true do end end)() end)`],
    [
      "within another tool",
      `Tool.register("inner", function() while true do end end) return timesOut(function() return Tool.execute("inner", {}) end)`,
    ],
    [
      "after it caught that a call of its own has ended",
      `return timesOut(function() pcall(never.complete, never, "x") while true do end end)`,
    ],
  ].map(([name, code]) => [name!, code!, `false "timed out: timeout of 50 ms" 5000050000 "served"`] as const),
});

luaTable("Waiting calls in every place of Lua", {
  config: CONFIG,
  setup: `${AGENTS}
    local function sum(a, b) return Tool.execute("calculator", {expression = a .. "-" .. b}).result.result end
    local function ask(text) return inner:complete(text) end`,
  cases: [
    [
      "pcall and xpcall",
      `local ok, text = pcall(ask, "p") local no, handled = xpcall(function() error("e", 0) end, function(m) return m .. ask("h") end) return ok, text, no, handled`,
      `true "<p>" false "e<h>"`,
    ],
    [
      "table.sort",
      "local t = {3, 1, 2} table.sort(t, function(a, b) return sum(a, b) < 0 end) return t",
      "{1, 2, 3}",
    ],
    ["string.gsub", `(("a b"):gsub("%a", ask))`, `"<a> <b>"`],
    [
      "metamethods",
      `local m = setmetatable({}, {__index = function(_, k) return ask(k) end, __concat = function() return ask("..") end, __tostring = function() return ask("t") end, __call = function(_, x) return ask(x) end, __lt = function() return ask("l") == "<l>" end, __len = function() return sum(9, 2) end}) return m.key, m .. "x", tostring(m), m("c"), m < m, #m`,
      `"<key>" "<..>" "<t>" "<c>" true 7`,
    ],
    [
      "coroutines, before and after yielding",
      `local co = coroutine.wrap(function() for i = 1, 2 do coroutine.yield(ask(i)) end return ask("end") end) return co(), co(), co()`,
      `"<1>" "<2>" "<end>"`,
    ],
    [
      "coroutines within coroutines",
      `return coroutine.wrap(function() return coroutine.wrap(function() return ask("deep") end)() end)()`,
      `"<deep>"`,
    ],
    [
      "iterators of for",
      `local texts = {} for text in (function() local i = 0 return function() i = i + 1 if i <= 2 then return ask(i) end end end)() do texts[#texts + 1] = text end return texts`,
      `{"<1>", "<2>"}`,
    ],
    [
      "variables that are closed",
      `local closed do local x <close> = setmetatable({}, {__close = function() closed = ask("z") end}) end return closed`,
      `"<z>"`,
    ],
    [
      "load's reader",
      `local n = 0 return load(function() n = n + 1 if n == 1 then return "return '" .. ask("l") .. "'" end end)()`,
      `"<l>"`,
    ],
    [
      "a coroutine yields to itself only, not through a tool",
      `Tool.register("yields", function() coroutine.yield(1) end) return Tool.execute("yields")`,
      /^raises: .*yield/,
    ],
  ],
});
