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
