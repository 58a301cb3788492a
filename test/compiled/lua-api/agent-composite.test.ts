/** Agents of agents, on the scripted provider and on the built-in model. */
import { luaTable, scripted } from "./support.ts";

const RESPONSES = `
[[providers.ci.responses]]
match = "fail"
error = "the model is down"
[[providers.ci.responses]]
system = "yes"
text = "Yes"
[[providers.ci.responses]]
system = "no"
text = "No"
[[providers.ci.responses]]
system = "slow"
delay_ms = 3000
text = "late"
[[providers.ci.responses]]
system = "boss"
match = "please"
tool_calls = [{ name = "team_ask_worker", arguments = { text = "do it", parameters = { by = "noon" } } }]
[[providers.ci.responses]]
after_tool = "*"
text = "The worker said: {{tool_result}}"
[[providers.ci.responses]]
text = "<{{prompt}}>"
`;

luaTable("A composite", {
  config: scripted(RESPONSES),
  setup: `
    local function make(name, system) return Agent.create{name = name, model = "ci/scripted", system_prompt = system} end
    for name, system in pairs{a = "x", b = "x", yes = "yes", aye = "yes", no = "no", slow = "slow", boss = "boss", worker = "x"} do
      make(name, system)
    end
    local function of(name, members, routing, input)
      Agent.create_composite(name, members, routing)
      return Agent.get(name):execute(input or "hi")
    end`,
  cases: [
    [
      "in sequence hands each the text of the one before",
      `of("s", {"a", "b"}, "sequential").text`,
      `"<<hi>>"`,
    ],
    [
      "side by side has all answers",
      `local r = of("p", {"a", "yes"}, "parallel") return r.text, r.metadata.agent_outputs, r.metadata.provider_total_requests`,
      String.raw`"a: <hi>\10\10yes: Yes" {a="<hi>", yes="Yes"} 2`,
    ],
    ["votes", `of("v", {"no", "yes", "aye"}, "vote").text`, `"Yes"`],
    [
      "votes with a threshold, below which another answers",
      `of("v2", {"no", "yes", "aye"}, {strategy = "vote", threshold = 0.9, fallback_agent = "a"}).text`,
      `"<hi>"`,
    ],
    [
      "delegates: the first asks the others as tools",
      `local r = of("team", {"boss", "worker"}, "delegate", "please") return r.text:sub(1, 29), r.tool_calls[1].result.success, r.metadata.agent_outputs.worker`,
      /^"The worker said: <do it" true "<do it\\10\\10Parameters: \{\\"by\\":\\"noon\\"\}>"$|^"The worker said: <do it.*true/,
    ],
    [
      "ends in time, or another answers",
      `local r = of("t", {"slow"}, {strategy = "sequential", timeout_ms = 100, fallback_agent = "a"}) return r.text, r.execution_time_ms < 2000`,
      `"<hi>" true`,
    ],
    ["fails as its member does", `of("f", {"a", "b"}, "sequential", "fail")`, /^raises: the model is down/],
    [
      "takes any other word for its own strategy, and a misspelt one for a mistake",
      `local ok, err = pcall(of, "m", {"a"}, "paralel") return of("c", {"a", "b"}, "my-router").text, ok, err:match("[^\\n]+")`,
      /^"<hi>" false "Cannot build composite agent: "strategy" must be one of .*: paralel"$/,
    ],
    [
      "refuses a threshold that is no share",
      `of("x", {"a"}, {strategy = "vote", threshold = 2})`,
      /^raises: Cannot build composite agent: "threshold" must be from 0 to 1: 2/,
    ],
    [
      "shows its tree",
      `Agent.create_composite("tree", {"s", "a"}, "parallel") local r = Agent.get_hierarchy("tree").root return r.name, r.children[1].name, #r.children[1].children, r.children[2].name`,
      `"tree" "s" 2 "a"`,
    ],
    [
      "as a tool refuses a level that is none",
      `pcall(Agent.wrap_as_tool, "a", {security_level = "open"})`,
      /^false ".*"security_level" must be one of safe, restricted, privileged: open/,
    ],
  ],
});

luaTable("Agents on the built-in model", {
  setup: `
    local function make(name, tools)
      return Agent.create{name = name, model = "local/spell-mini", system_prompt = "You are a helpful assistant.", max_tokens = 60, tools = tools, memory_enabled = false}
    end
    make("a") make("b") make("calc", {"calculator"})
    local tool = Agent.wrap_as_tool("calc")`,
  cases: [
    [
      "answer together",
      `Agent.create_composite("two", {"a", "b"}, "vote") return Agent.get("two"):execute("Hello").text`,
      `"Hello! How can I help you?"`,
    ],
    ["serve as a tool", `Tool.execute(tool, {text = "What is 6 + 7?"}).text`, `"The answer is 13."`],
    [
      "are asked by another one's model",
      `local r = make("boss", {tool}):execute("What is 2 + 3?") return r.text, r.tool_calls[1].tool_name, r.tool_calls[1].result.success`,
      `"The answer is 5." "calc_tool" true`,
    ],
    [
      "may delegate",
      `Agent.create_composite("team", {"a", "calc"}, "delegate") return #Agent.get("team"):execute("Hello").text > 0`,
      "true",
    ],
  ],
});

luaTable("An alert", {
  config: scripted(RESPONSES),
  setup: `local agent = Agent.create{name = "w", model = "ci/scripted"}`,
  cases: [
    [
      "waits for a state that there is",
      `agent:configure_alerts{name = "h", condition = {type = "health_status", status = "Wounded"}}`,
      /^raises: .*"condition.status" must be one of Healthy, Degraded, Unhealthy: Wounded/,
    ],
    [
      "tells of a turn that failed, and of too many",
      `agent:configure_alerts{name = "h", condition = {type = "health_status", status = "degraded"}}
       agent:configure_alerts{name = "e", severity = "critical", condition = {type = "error_rate", rate_percent = 40}}
       agent:execute("fine") local before = #agent:get_alerts()
       pcall(agent.execute, agent, "fail") local list = agent:get_alerts()
       return before, #list, list[1].message, list[2].severity`,
      `0 2 "Health is Degraded" "critical"`,
    ],
  ],
});
