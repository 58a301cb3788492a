-- A budget: a call that does not fit is refused before it is made. `llmspell run examples/budget.lua --usage` shows
-- what the run took, `--dry-run` what it would ask for, `--record FILE` and `--replay FILE` give the same run again.
local agent = Agent.create({ name = "ada", model = "local/spell-mini", max_tokens = 20, budget = { calls = 2 } })

for _, question in ipairs({ "Hello", "Who are you?", "And what can you do?" }) do
  local ok, answer = pcall(function() return agent:execute(question).text end)
  print(ok and "answered" or tostring(answer):match("the calls budget[^:]+"))
end

local figures = agent:get_metrics()
print("calls:", figures.model_calls, "left:", figures.budget.calls.left)
