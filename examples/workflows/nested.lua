-- Workflows as steps of others: each has an input of its own.
local price = Workflow.sequential{name = "price", steps = {
  {name = "net", type = "tool", tool = "calculator", input = {input = "{{input.amount}} * {{input.each}}"}},
  {name = "gross", type = "tool", tool = "calculator", input = {input = "{{net}} * 1.25"}},
}}

local order = Workflow.from_yaml([[
name: order
type: parallel
steps:
  - { name: apples, type: workflow, workflow: price, input: { amount: "{{input.apples}}", each: 2 } }
  - { name: pears, type: workflow, workflow: price, input: { amount: "{{input.pears}}", each: 4 } }
]])

local shop = Workflow.builder():name("shop"):sequential()
  :add_step{name = "order", type = "workflow", workflow = order, input = {apples = 10, pears = 5}}
  :add_step{name = "sum", type = "tool", tool = "calculator",
    input = {input = "{{step.order.output.apples}} + {{step.order.output.pears}}"}}
  :build()
local result = shop:execute()
print("apples", result.steps.order.output.apples)
print("pears", result.steps.order.output.pears)
print("sum", result.output)
print("valid", shop:validate().valid)

-- One that would never end is refused.
Workflow.create{name = "a", type = "sequential", steps = {{name = "s", type = "workflow", workflow = "b"}}}
local b = Workflow.create{name = "b", type = "sequential", steps = {{name = "s", type = "workflow", workflow = "a"}}}
print(pcall(b.execute, b))
