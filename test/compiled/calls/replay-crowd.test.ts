/** Replays of scripts in which much happens at once, or goes wrong. */
import { describe, expect, test } from "bun:test";
import { CallsSandbox } from "./support.ts";

/** Eight agents side by side, half of them on the embedded model, whose tools share one dice box and one list. */
const CROWD = `
local names, seen = {}, {}
Tool.register{name = "roll", description = "Rolls a die", parameters = {}, execute = function()
  local n = math.random(6)
  seen[#seen + 1] = n .. "@" .. os.clock()
  print("rolled", n, os.time())
  return {success = true, result = n}
end}
for i = 1, 8 do
  names[i] = "agent" .. i
  Agent.create{name = names[i], model = i % 2 == 0 and "local/spell-mini" or "ci/scripted", max_tokens = 24, allowed_tools = {"roll"}, memory_enabled = false}
end
Agent.create_composite("all", names, {strategy = "parallel"})
for round = 1, 4 do
  local r = Agent.get("all"):execute("Round " .. round .. ": roll")
  print(round, r.execution_time_ms)
  for _, n in ipairs(names) do print(n, r.metadata.agent_outputs[n]) end
end
print(table.concat(seen, " "))
local parts = {}
Agent.get("agent1"):invokeStream({text = "Roll"}, function(c) parts[#parts + 1] = c.text .. os.clock() end)
print(table.concat(parts, "|"))
`;

const CROWD_TOML = `[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
after_tool = "roll"
text = "It shows {{tool_result}} and so on"
chunk_delay_ms = 2
[[providers.ci.responses]]
answers = [{tool_calls = [{ name = "roll" }], delay_ms = 7},{tool_calls = [{ name = "roll" },{ name = "roll" }], delay_ms = 3},{text="nothing", delay_ms = 11}, {tool_calls = [{ name = "roll" }]}]
`;

describe("A crowd of agents", () => {
  test.each([1, 2])("meets in the script in the same order each time, recording %i", async () => {
    using box = new CallsSandbox(CROWD_TOML);
    const recorded = await box.script(CROWD, "--usage", "--record", "run.jsonl");
    expect([recorded.code, recorded.stdout.match(/rolled/g)!.length > 8]).toEqual([0, true]);
    for (let i = 0; i < 3; i++) {
      const replayed = await box.run(["run", "script.lua", "--usage", "--replay", "run.jsonl"]);
      expect([replayed.stdout, replayed.stderr]).toEqual([recorded.stdout, recorded.stderr]);
    }
  });
});

/** What goes wrong on the way: time that is up, members that fail, tools that fail or ask agents, callbacks that do. */
const ADVERSITY = `
local function try(label, f) local ok, e = pcall(f) print(label, ok, ok and e or tostring(e)) end
-- an answer that takes longer than its time
local slow = Agent.create{name = "slow", model = "ci/scripted", system_prompt = "slow", max_execution_time = 0.15}
try("timeout", function() return slow:execute("x").text end)
try("again", function() return slow:execute("quick").text end)
-- a member fails, the others are ended
local bad = Agent.create{name = "bad", model = "ci/scripted", system_prompt = "bad"}
local long = Agent.create{name = "long", model = "ci/scripted", system_prompt = "long"}
Agent.create_composite("both", {"bad", "long"}, {strategy = "parallel"})
try("composite", function() return Agent.get("both"):execute("x").text end)
-- a tool that fails, one that calls an agent, one that asks the time
Tool.register{name = "nested", description = "x", parameters = {}, execute = function()
  local t = os.clock()
  local inner = Agent.get("inner"):execute("inside " .. math.random(10)).text
  return {success = true, result = inner .. "@" .. t}
end}
Tool.register{name = "fails", description = "x", parameters = {}, execute = function() error("no " .. os.time()) end}
Agent.create{name = "inner", model = "local/spell-mini", max_tokens = 8}
for i = 1, 3 do Agent.create{name = "n" .. i, model = "ci/scripted", system_prompt = "nest" .. i, allowed_tools = {"nested", "fails"}} end
Agent.create_composite("nests", {"n1", "n2", "n3"}, {strategy = "parallel"})
try("nests", function() local r = Agent.get("nests"):execute("go") for _, c in ipairs(r.tool_calls) do print(JSON.stringify(c)) end return r.text end)
-- streamed, with a callback that asks another agent
local got = {}
Agent.get("n1"):invokeStream({text = "stream"}, function(c)
  if #got == 1 then got[#got + 1] = Agent.get("inner"):execute("from a callback").text end
  got[#got + 1] = c.text
end)
print(table.concat(got, "|"))
-- hooks and events
Hook.register("BeforeToolExecution", function(c) print("hook", c.data.tool_name, os.clock()) end)
Event.on("my.*", function(e) print("event", e.id) end) Event.publish("my.x", {})
try("tool", function() return JSON.stringify(Tool.execute("nested", {})) end)
try("vote", function() Agent.create_composite("votes", {"n1", "bad", "inner"}, {strategy = "vote"}) return Agent.get("votes"):execute("vote").text end)
local flow = Workflow.loop{name = "l", iterator = {range = {start = 1, ["end"] = 4}}, body = {{name = "ask", type = "agent", agent = "inner", input = "Pass {{loop:index}}"}}}
try("loop", function() return flow:execute({}).text end)
`;

const ADVERSITY_TOML = `[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
system = "slow"
match = "quick"
text = "quick answer"
[[providers.ci.responses]]
system = "slow"
text = "one two three four five six seven"
chunk_delay_ms = 60
[[providers.ci.responses]]
system = "bad"
text = "half an"
error = "broken"
chunk_delay_ms = 5
[[providers.ci.responses]]
system = "long"
text = "one two three four five six seven eight nine ten"
chunk_delay_ms = 20
[[providers.ci.responses]]
after_tool = "*"
text = "done: {{tool_result}}"
chunk_delay_ms = 1
[[providers.ci.responses]]
match = "stream"
text = "a b c d"
[[providers.ci.responses]]
match = "vote"
text = "yes"
[[providers.ci.responses]]
tool_calls = [{ name = "nested" }, { name = "fails" }, { name = "nested" }]
`;

test("What fails, times out or nests in a recorded run does so in its replay", async () => {
  using box = new CallsSandbox(ADVERSITY_TOML);
  const recorded = await box.script(ADVERSITY, "--usage", "--record", "run.jsonl");
  expect(recorded.code).toBe(0);
  for (const part of [
    "max_execution_time is 0.15 s",
    "composite\tfalse",
    "nests\ttrue",
    "hook\tnested",
    "loop\ttrue",
  ])
    expect(recorded.stdout).toContain(part);
  for (let i = 0; i < 3; i++) {
    const replayed = await box.run(["run", "script.lua", "--usage", "--replay", "run.jsonl"]);
    expect([replayed.stdout, replayed.stderr]).toEqual([recorded.stdout, recorded.stderr]);
  }
});
