-- Steps one after another: each can name what those before it gave.
Agent.builder():name("reckoner"):model("local/spell-mini"):tools({"calculator"}):build()

local report = Workflow.builder():name("report"):sequential()
  :add_step{name = "sum", type = "tool", tool = "calculator", input = {input = "{{input.price}} * {{input.count}}"}}
  :add_step{name = "check", type = "agent", agent = "reckoner", input = "What is {{input.price}} * {{input.count}}?", timeout_ms = 120000}
  :add_step{name = "write", type = "tool", tool = "template-creator",
    input = {template = "{{item}}: {{step.sum.output}}", context = {item = "Apples"}}}
  :build()

local result = report:execute{price = 6, count = 7}
print(result.text:match("^[^.]*"))
print(result.output)
print(result.metadata.extra.agent_outputs.reckoner)

-- A failure stops the workflow and is raised; with `continue` it is told in the result.
local broken = {name = "broken", steps = {
  {name = "bad", type = "tool", tool = "calculator", input = {input = "6 *"}, retry_count = 1, retry_delay_ms = 10},
  {name = "good", type = "tool", tool = "calculator", input = {input = "6 * 7"}},
}}
print(pcall(function() Workflow.sequential(broken):execute() end))
broken.error_strategy = "continue"
local partly = Workflow.sequential(broken):execute()
print(partly.success, partly.status, partly.outputs.good, partly.steps.bad.retry_count)
