/** spec/lua-api.md sections 1.3 to 1.6; agents-workflows-rag.md sections 1.2, 1.3 and 1.8. */
import { luaTable, scripted } from "./support.ts";

const CONFIG = scripted(`
[[providers.ci.responses]]
match = '/^say (.*)$/'
text = "{{1}}"
[[providers.ci.responses]]
text = "echo: {{prompt}}"
`);

luaTable("Agent discovery", {
  config: CONFIG,
  setup: `local a = Agent.create{name = "alpha", description = "knows birds", model = "ci/scripted"} Agent.create{name = "beta", type = "basic"} Agent.create_composite("both", {"alpha", "beta"}, "sequential")`,
  cases: [
    [
      "lists live agents by name",
      `#Agent.list(), Agent.list()[1], Agent.list_instances(), Agent.count()`,
      `3 {model="scripted", name="alpha", state="Ready", type="llm"} {"alpha", "beta", "both"} 3`,
    ],
    [
      "names types and templates",
      `local t = {} for i, d in ipairs(Agent.discover()) do t[i] = d.type end table.sort(t) return t, #Agent.list_templates()`,
      `{"basic", "llm", "tool-orchestrator"} 3`,
    ],
    [
      "describes types, agents and what it does not know",
      `local i, n = Agent.get_info("llm"), Agent.get_info("nope") return i.name, i.category, i.complexity, i.required_parameters, n.category, Agent.get_info("alpha").provider`,
      `"llm" "agent" "standard" {"model"} "agent" "ci"`,
    ],
    [
      "gives details",
      `local d = Agent.get_details("alpha") return d.name, d.description, d.state, d.config.max_conversation_length, d.metrics.requests_total, d.composition.can_be_wrapped`,
      `"alpha" "knows birds" "Ready" 100 0 true`,
    ],
    [
      "lists capabilities by name",
      `local c = Agent.list_capabilities().alpha return c.name, c.capabilities.supports_tools, c.capabilities.supports_streaming`,
      `"alpha" true true`,
    ],
    [
      "discovers by capability",
      `#Agent.discover_by_capability("streaming"), Agent.discover_by_capability("composite"), Agent.discover_by_capability("birds")`,
      `3 {"both"} {"alpha"}`,
    ],
    [
      "shows a composite's tree",
      `local r = Agent.get_hierarchy("both").root return r.name, r.type, #r.children, r.children[2].name`,
      `"both" "agent" 2 "beta"`,
    ],
    [
      "describes an agent by its own methods",
      `a:get_name(), a:get_type(), a:get_model(), a:get_info().provider, a:get_info().model, a:get_capabilities().supports_context`,
      `"alpha" "llm" "scripted" "ci" "scripted" true`,
    ],
    [
      "offers the other spelling, unseen by iteration",
      `for name in pairs(Agent) do assert(name ~= "listInstances") end return #Agent.listInstances(), Agent.nothing`,
      "3 nil",
    ],
    ["takes colons on the global too", `#Agent:list()`, "3"],
  ],
});

luaTable("Agents' tools, state and measures", {
  config: CONFIG,
  setup: `local a = Agent.create{name = "a", model = "ci/scripted"}`,
  cases: [
    [
      "looks at tools",
      `a:has_tool("calculator"), a:has_tool("nope"), a:get_tool_metadata("calculator").name, a:get_tool_metadata("nope"), a:get_all_tool_metadata().calculator.version ~= nil, #a:discover_tools() == #Tool.list()`,
      `true false "calculator" nil true true`,
    ],
    [
      "invokes tools",
      `a:invokeTool("calculator", {expression = "1+1"}).result.result, pcall(a.invokeTool, a, "nope", {})`,
      `2 false "Tool 'nope' not found"`,
    ],
    [
      "starts Ready and healthy",
      `a:get_state(), a:get_agent_state(), a:is_healthy(), a:get_health().status, a:get_last_error(), a:get_recovery_attempts()`,
      `"Ready" "Ready" true "Healthy" nil 0`,
    ],
    [
      "pauses and resumes",
      `a:pause() local state, ok = a:get_state(), pcall(a.execute, a, "x") a:resume() return state, ok, a:get_state(), a:complete("say on")`,
      `"Paused" false "Ready" "on"`,
    ],
    ["raises on an illegal transition", `a:resume()`, /^raises: .*Ready/],
    [
      "fails and recovers",
      `a:set_error("oops") local s, e, h = a:get_state(), a:get_last_error(), a:is_healthy() a:recover() return s, e, h, a:get_state(), a:get_recovery_attempts()`,
      `"Error" "oops" false "Ready" 1`,
    ],
    [
      "remembers its transitions",
      `local h = a:get_state_history() return h[1].from, h[1].to, h[2].to, math.type(h[1].timestamp), a:get_state_metrics().total_transitions == #h`,
      `"Uninitialized" "Initializing" "Ready" "integer" true`,
    ],
    [
      "measures turns",
      `local m = Agent.create{model = "ci/scripted"} local none = m:get_performance() m:complete("x") local p = m:get_performance() return none, m:get_metrics().requests_total, p.total_executions, p.success_rate, p.error_rate, m:get_metrics().requests_active`,
      "nil 1 1 1 0 0",
    ],
    [
      "measures the process",
      `local b = a:get_bridge_metrics() return b.active_agents == Agent.count(), b.total_tools == #Tool.list(), b.performance.memory_usage_mb > 0`,
      "true true true",
    ],
    [
      "takes alerts and events",
      `a:configure_alerts{name = "up", condition = {type = "health_status", status = "Healthy"}} return a:logEvent("kind", "message"), a:get_alerts()[1].severity, type(a:get_alerts()[1].message)`,
      `nil "warning" "string"`,
    ],
    [
      "keeps its conversation",
      `local none = a:load_state() a:save_state() local kept = a:load_state() local saved = State.load("agent_state", a.name or "a") a:delete_state() return none, kept, saved ~= nil and saved.state.execution_state, a:load_state(), a:set_state({})`,
      /^false true "Idle" false nil$/,
    ],
    [
      "is gone when destroyed",
      `local d = Agent.create{name = "d", type = "basic"} d:destroy() return Agent.get("d"), pcall(d.execute, d, "x")`,
      /^nil false "/,
    ],
    ["has nothing under unknown names", `a.nothing`, "nil"],
  ],
});

luaTable("Agents of agents, contexts and shared memory", {
  config: CONFIG,
  setup: `local one = Agent.create{name = "one", model = "ci/scripted"} Agent.create{name = "two", type = "basic"}`,
  cases: [
    [
      "wraps an agent as a tool",
      `Agent.wrap_as_tool("one", {}), Tool.execute("one_tool", {text = "x"}).text, Agent.wrap_as_tool("two", {tool_name = "mine", category = "Custom"}), Tool.get("mine").category`,
      `"one_tool" "echo: x" "mine" "custom"`,
    ],
    [
      "makes composites",
      `local made = Agent.create_composite("seq", {"one", "two"}, "sequential") Agent.create_composite("par", {"one", "two"}, {strategy = "parallel"}) return made, Agent.get("seq"):complete("x"), Agent.get("par"):execute("x").metadata.agent_outputs`,
      `nil "echo: x" {one="echo: x", two="x"}`,
    ],
    [
      "makes composites of one table",
      `Agent.create_composite{name = "vote", agents = {"one", "two"}, strategy = "vote"} return Agent.get("vote"):complete("x")`,
      `"echo: x"`,
    ],
    [
      "raises for a missing member",
      `Agent.create_composite("bad", {"nope"}, "sequential")`,
      /^raises: .*nope/,
    ],
    [
      "keeps contexts",
      `local id = Agent.create_context{data = {k = 1}, user_id = "u"} Agent.update_context(id, "list", {1, 2}) local child = Agent.create_child_context(id, "global", "inherit") return type(id), Agent.get_context_data(id, "k"), Agent.get_context_data(child, "list"), Agent.get_context_data(id, "none"), Agent.remove_context(id), (pcall(Agent.get_context_data, id, "k"))`,
      `"string" 1 {1, 2} nil nil false`,
    ],
    [
      "isolates and shares contexts",
      `local id = Agent.create_context{data = {k = 1}} local alone = Agent.create_child_context(id, {type = "agent", id = "one"}, "isolate") local shared = Agent.create_child_context(id, "global", "share") Agent.update_context(shared, "s", "both") return Agent.get_context_data(alone, "k"), Agent.get_context_data(id, "s")`,
      `nil "both"`,
    ],
    [
      "runs in a context",
      `one:execute_with_context({text = "x"}, Agent.create_context{data = {k = 1}}).text, pcall(one.execute_with_context, one, "x", "nope")`,
      /^"echo: x" false ".*nope/,
    ],
    [
      "raises for unknown contexts",
      `pcall(Agent.get_context_data, "nope", "k"), pcall(Agent.create_child_context, "nope", "global", "inherit"), pcall(Agent.remove_context, "nope"), (pcall(Agent.update_context, "nope", "k", 1))`,
      /^false false false false$/,
    ],
    [
      "shares memory by scope",
      `Agent.set_shared_memory("global", "k", {1}) Agent.set_shared_memory({type = "session", id = "s"}, "k", 2) Agent.set_shared_memory("short", 3) return Agent.get_shared_memory("global", "k"), Agent.get_shared_memory({type = "session", id = "s"}, "k"), Agent.get_shared_memory({type = "session", id = "t"}, "k"), Agent.get_shared_memory("short")`,
      "{1} 2 nil 3",
    ],
  ],
});
