/** spec/lua-api.md section 1; agents-workflows-rag.md section 1. */
import { luaTable, scripted } from "./support.ts";

const CONFIG = scripted(`
[[providers.ci.responses]]
model = "never"
text = "too late"
delay_ms = 600000
[[providers.ci.responses]]
model = "broken"
error = "the model is broken"
[[providers.ci.responses]]
match = "compute"
tool_calls = [{ name = "calculator", arguments = { expression = "12*7" } }]
[[providers.ci.responses]]
after_tool = "calculator"
match = '/"result":\\s*(\\d+)/'
text = "It is {{1}}."
[[providers.ci.responses]]
match = '/^say (.*)$/'
text = "{{1}}"
[[providers.ci.responses]]
system = "Bo"
text = "I am Bo"
[[providers.ci.responses]]
text = "echo: {{prompt}}"
`);

luaTable("Agent.builder", {
  config: CONFIG,
  setup: `local function built(change) local b = Agent.builder():model("ci/scripted") change(b) return b:build() end`,
  cases: [
    [
      "chains with colons",
      `Agent.builder():name("c"):description("d"):type("llm"):model("ci/scripted"):provider("ci"):system_prompt("Bo"):temperature(0.2):max_tokens(50):build():execute({text = "who"}).text`,
      `"I am Bo"`,
    ],
    [
      "chains with dots",
      `Agent.builder().name("dots").provider("ci").model("scripted").build():complete("x")`,
      `"echo: x"`,
    ],
    [
      "changes its receiver in bare statements",
      `local b = Agent.builder() b:name("bare") b:model("ci/scripted") local a = b:build() return a.name, a:get_model()`,
      `"bare" "scripted"`,
    ],
    [
      "has every setter of the reference and the aliases",
      `local b = Agent.builder() for name in ("name description type model provider system_prompt temperature max_tokens max_conversation_length base_url api_key allow_tool allowed_tools max_execution_time max_memory_mb max_tool_calls max_recursion_depth resource_limits custom_config build tool tools add_tool prompt capability memory_enabled context_window timeout timeout_ms max_retries"):gmatch("%S+") do assert(type(b[name]) == "function", name) end return b.nothing`,
      "nil",
    ],
    [
      "names agents by itself",
      `Agent.builder():model("ci/scripted"):build().name:find("^agent_%x%x%x%x%x%x%x%x$")`,
      "1 14",
    ],
    [
      "splits a model at the first slash",
      `Agent.create{model = "ci/meta-llama/Llama-3"}:get_model()`,
      `"meta-llama/Llama-3"`,
    ],
    [
      "keeps settings, and no key",
      `local c = Agent.builder():model("ci/scripted"):custom_config{system_prompt = "S", max_conversation_length = 4, other = 1}:resource_limits{max_execution_time_secs = 5, max_tool_calls = 2}:max_memory_mb(9):max_retries(2):api_key("sk-none"):build():get_config() return c.system_prompt, c.max_conversation_length, c.resource_limits.max_execution_time_secs, c.resource_limits.max_tool_calls, c.resource_limits.max_memory_mb, c.max_retries, c.api_key`,
      `"S" 4 5 2 9 2 nil`,
    ],
    [
      "has the reference's defaults",
      `local c = built(function() end):get_config() return c.description, c.max_conversation_length, c.resource_limits`,
      `"LLM-powered agent" 100 {max_execution_time_secs=300, max_memory_mb=512, max_recursion_depth=10, max_tool_calls=100}`,
    ],
    ["raises without a model", `Agent.builder():name("m"):build()`, /^raises: .*Model is required/],
    [
      "raises for an unknown provider",
      `Agent.builder().provider("nope").model("x").build()`,
      /^raises: .*"nope"/,
    ],
    [
      "raises when the name is taken, until it is destroyed",
      `local a = built(function(b) b:name("twice") end) local ok, err = pcall(built, function(b) b:name("twice") end) a:destroy() return ok, err:find("already exists") ~= nil, built(function(b) b:name("twice") end).name`,
      `false true "twice"`,
    ],
    ["raises for an unknown tool", `built(function(b) b:allow_tool("nope") end)`, /^raises: .*nope/],
    [
      "raises for required values of the wrong type",
      `pcall(built, function(b) b:name({}) end), pcall(built, function(b) b:temperature("hot") end)`,
      /^false false "/,
    ],
  ],
});

luaTable("Agent creation by table", {
  config: CONFIG,
  cases: [
    [
      "works as the builder does",
      `Agent.create{name = "t", model = "ci/scripted", prompt = "Bo", tools = {"calculator"}}:complete("compute it")`,
      `"It is 84."`,
    ],
    [
      "has other names",
      `Agent.new{model = "ci/scripted"}:complete("x"), Agent.createAsync{model = "ci/scripted"}:complete("x")`,
      `"echo: x" "echo: x"`,
    ],
    [
      "ignores optional fields of the wrong type",
      `local c = Agent.create{model = "ci/scripted", temperature = "hot", max_tokens = {}, description = true}:get_config() return c.temperature, c.max_tokens, c.description`,
      `nil nil "LLM-powered agent"`,
    ],
    [
      "raises for what is no table",
      `pcall(Agent.create), pcall(Agent.create, "x"), pcall(Agent.create, {})`,
      /^false false false ".*Model is required/,
    ],
    [
      "registers and returns the name",
      `Agent.register{name = "r1", agent_type = "llm", model = {provider = "ci", model_id = "scripted", temperature = 0.1}}, Agent.register{name = "r2", model = "ci/scripted"}, Agent.register("r3", {type = "basic"}), Agent.get("r3"):complete("same")`,
      `"r1" "r2" "r3" "same"`,
    ],
    [
      "wants provider and model_id of a model table",
      `pcall(Agent.register, {model = {model_id = "x"}}), pcall(Agent.register, {model = {provider = "ci"}})`,
      /^false false ".*Model is required/,
    ],
    [
      "makes agents of templates",
      `Agent.create_from_template("e", "basic", {}):complete("x"), Agent.create_from_template("l", "llm", {model = "ci/scripted"}):complete("y"), pcall(Agent.create_from_template, "n", "nope", {})`,
      /^"x" "echo: y" false ".*nope/,
    ],
    ["finds live agents", `Agent.get("e").name, Agent.get("none")`, `"e" nil`],
  ],
});

luaTable("agent:execute", {
  config: CONFIG,
  setup: `local a = Agent.create{name = "a", model = "ci/scripted"} local calc = Agent.create{name = "calc", model = "ci/scripted", tools = {"calculator"}}`,
  cases: [
    [
      "takes text under every name, and plain strings",
      `a:execute({text = "1"}).text, a:execute("2").text, a:execute{prompt = "3"}.text, a:execute{input = "4"}.text`,
      `"echo: 1" "echo: 2" "echo: 3" "echo: 4"`,
    ],
    [
      "takes calls with a dot and stored methods",
      `a.execute({text = "1"}).text, a.execute("2").text, pcall(a.complete, a, "3")`,
      `"echo: 1" "echo: 2" true "echo: 3"`,
    ],
    [
      "fills the fields that examples read",
      `local r = a:execute("x") return r.text, r.success, r.response, r.content, r.output, r.error, r.result.text, r.metadata.model, r._metadata.provider`,
      `"echo: x" true "echo: x" "echo: x" "echo: x" nil "echo: x" "scripted" "ci"`,
    ],
    [
      "gives values that can be joined and printed",
      `local r = a:execute("x") return "<" .. r .. ">", "<" .. r.result .. ">", tostring(r), r.text:upper()`,
      `"<echo: x>" "<echo: x>" "echo: x" "ECHO: X"`,
    ],
    [
      "counts tokens and time",
      `local r = a:execute("x") return r.metadata.token_count == r.usage.total_tokens, r.usage.prompt_tokens + r.usage.completion_tokens == r.usage.total_tokens, type(r.metadata.execution_time_ms)`,
      `true true "number"`,
    ],
    ["has no media where there is none", `a:execute("x").media, a:execute("x").transfer_to`, "nil nil"],
    [
      "spreads JSON that looks like a result",
      `local r = a:execute('say {"success": false, "result": {"n": 1}, "metadata": 7}') return r.success, r.result, r.text == r._raw_text, r.metadata.model`,
      `false {n=1} true "scripted"`,
    ],
    [
      "keeps the text of JSON that has one",
      `local r = a:execute('say {"operation": "o", "text": "own"}') return r.text, r.operation, r._raw_text ~= nil`,
      `"own" "o" true`,
    ],
    [
      "decodes any other JSON into data",
      `local o, l, n, t = a:execute('say {"x": 1}'), a:execute("say [1, 2]"), a:execute("say 42"), a:execute("x") return o.data, o.text, l.data, n.data, t.data`,
      `{x=1} "{"x": 1}" {1, 2} 42 nil`,
    ],
    [
      "ignores unknown keys",
      `a:execute({text = "x", output_modalities = {"text"}, media = {}, unknown = true}).text`,
      `"echo: x"`,
    ],
    [
      "runs tools and tells of them",
      `local r = calc:execute("compute it") local c = r.tool_calls[1] return r.text, #r.tool_calls, c.tool_name, c.parameters, c.result.success, type(c.result.data)`,
      `"It is 84." 1 "calculator" {expression="12*7"} true "string"`,
    ],
    [
      "raises for empty, missing and wrong input",
      `pcall(a.execute, a, {text = ""}), pcall(a.execute, a, {}), pcall(a.execute, a), pcall(a.execute, a, true)`,
      /^false false false false ".*required/,
    ],
    [
      "raises text when the model fails",
      `local b = Agent.create{model = "ci/broken"} local ok, err = pcall(b.execute, b, "x") return ok, "failed: " .. err, b:get_state(), b:get_last_error()`,
      `false "failed: the model is broken" "Ready" "the model is broken"`,
    ],
    [
      "ends at the time limit",
      `Agent.builder():name("late"):model("ci/never"):timeout_ms(20):build():complete("x")`,
      /^raises: .*max_execution_time/,
    ],
    [
      "completes with a string",
      `a:complete("x"), pcall(a.complete, a), pcall(a.complete, a, {})`,
      /^"echo: x" false false ".*must be a string/,
    ],
    [
      "keeps its conversation",
      `local c = Agent.create{model = "ci/scripted"} local before = c:get_metrics().memory_bytes c:complete("one") c:complete("two") return before, c:get_metrics().memory_bytes > 0`,
      "0 true",
    ],
  ],
});

luaTable("agent:invokeStream", {
  config: CONFIG,
  setup: `local a = Agent.create{name = "a", model = "ci/scripted"}
    local function stream(agent, ...) local chunks = {} local result = agent:invokeStream(..., function(c) chunks[#chunks + 1] = c end) return chunks, result end`,
  cases: [
    [
      "hands pieces on that make the text",
      `local chunks, r = stream(a, {text = "one two"}) local texts = {} for i, c in ipairs(chunks) do texts[i] = c.text assert(c.text == c.content and c.chunk_index == i - 1 and c.stream_id == chunks[1].stream_id and c.timestamp) end return table.concat(texts), #chunks > 2, r.success, r.chunks_received == #chunks`,
      `"echo: one two" true true true`,
    ],
    [
      "marks the last piece",
      `local chunks = stream(a, "x") return chunks[1].metadata.is_final, chunks[#chunks].metadata.is_final, chunks[#chunks].metadata.token_count > 0`,
      "false true true",
    ],
    [
      "takes options before the function",
      `a:invokeStream("x", {temperature = 0}, function() end).success, a.invoke_stream("x", function() end).success`,
      "true true",
    ],
    [
      "tells of a failure in a last piece",
      `local chunks, r = stream(Agent.create{model = "ci/broken"}, "x") return chunks[#chunks].text, r.success, r.error`,
      `"Error: the model is broken" false "the model is broken"`,
    ],
    [
      "raises what the function raises",
      `a:invokeStream("x", function() error("mine") end)`,
      /^raises: script\.lua:\d+: mine$/,
    ],
    [
      "lets the function call tools and other agents",
      `local b = Agent.create{model = "ci/scripted"} local seen = {} a:invokeStream("ab", function(c) if c.text ~= "" then seen[#seen + 1] = Tool.execute("text-manipulator", {operation = "uppercase", input = c.text}).result.result .. b:complete("say .") end end) return table.concat(seen)`,
      /^"ECHO.*AB\."$/,
    ],
    [
      "refuses to ask the agent that is speaking",
      `a:invokeStream("x", function() return a:complete("again") end)`,
      /^raises: .*waits for the call that asks for it/,
    ],
    [
      "wants a function",
      `pcall(a.invokeStream, a, "x"), pcall(a.invokeStream, a, "x", 5)`,
      /^false false ".*must be a function/,
    ],
  ],
});

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
      "raises without state persistence",
      `pcall(a.save_state, a), pcall(a.load_state, a), pcall(a.delete_state, a), a:set_state({})`,
      /^false false false nil$/,
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
