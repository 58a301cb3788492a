-- With a run id, what a workflow does is written down: a run that stopped goes on where it stopped, and no step that was
-- done is done again. It works across processes too: kill this script and run it again.
local charged, down = 0, true
Tool.register("charge", function(p) charged = charged + 1 return "charged " .. p.amount end)
Tool.register("mail", function(p) if down then error("the mail server is down") end return "sent: " .. p.text end)

local order = Workflow.builder():name("order"):sequential()
  :add_step{name = "charge", type = "tool", tool = "charge", input = {amount = "{{input.amount}}"}}
  :add_step{name = "mail", type = "tool", tool = "mail", input = {text = "{{charge}}"}}
  :build()

print("first:", pcall(order.execute, order, {amount = 42}, {run_id = "order-17"}))
down = false
local result = order:execute({amount = 42}, {run_id = "order-17"})
print("then:", result.output)
print("charged:", charged, "restored:", result.metadata.extra.restored_steps)

-- Whoever runs it once more is told the same, and nothing is done.
print("again:", order:execute({amount = 42}, {run_id = "order-17"}).output, charged)

-- `llmspell workflow list` shows the run; where a step was cut off and may not be repeated, `llmspell workflow resume
-- order-17 --retry STEP` or `--skip STEP` decides. A step says for itself: repeatable = true or false.
