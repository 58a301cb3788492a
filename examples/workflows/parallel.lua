-- Branches side by side: three agents on one model are asked at once.
local questions = {ann = "What is 12*7+3?", bob = "What is 15 + 27?", cas = "What is 100 / 8?"}
local branches = {}
for _, name in ipairs{"ann", "bob", "cas"} do
  Agent.create{name = name, model = "local/spell-mini", tools = {"calculator"}}
  branches[#branches + 1] = {name = name, steps = {
    {name = "ask_" .. name, type = "agent", agent = name, input = questions[name], timeout_ms = 120000},
  }}
end

local team = Workflow.parallel{name = "team", branches = branches, max_concurrency = 3}
team:on_progress(function(p) if p.type == "workflow_completed" then print("all have answered") end end)
local result = team:execute()
for _, name in ipairs{"ann", "bob", "cas"} do print(name, result.output[name]) end
print(result.metadata.extra.successful_branches .. " of " .. result.metadata.extra.total_branches)

-- One that may fail does not end the others.
local fragile = Workflow.parallel{name = "fragile", branches = {
  {name = "maybe", optional = true, steps = {{name = "x", type = "tool", tool = "calculator", input = {input = "1 +"}}}},
  {name = "sure", steps = {{name = "y", type = "tool", tool = "calculator", input = {input = "1 + 1"}}}},
}}
print(fragile:execute().output.sure)
