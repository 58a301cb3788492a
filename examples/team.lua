-- Several agents on one model: it is loaded once, and answers all of them side by side.
local questions = { ann = "What is 12*7+3?", bob = "What is 15 + 27?", cas = "What is 100 / 8?" }
local names = { "ann", "bob", "cas" }
for _, name in ipairs(names) do
  Agent.create({ name = name, model = "local/spell-mini", tools = { "calculator" } })
end

-- All are asked the same at once; `agent_outputs` has each one's answer.
Agent.create_composite("team", names, "parallel")
local outputs = Agent.get("team"):execute({ text = "What is 6 * 7?" }).metadata.agent_outputs
for _, name in ipairs(names) do print("team", name, outputs[name]) end

-- Each has a conversation of its own.
for _, name in ipairs(names) do print(name, Agent.get(name):complete(questions[name])) end
