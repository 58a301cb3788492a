-- A branch is chosen by what the steps before it gave, by shared data, by an expression or by a function.
local function note(name, text)
  return {name = name, type = "tool", tool = "template-creator", input = {template = text, context = {}}}
end

local triage = Workflow.builder():name("triage"):conditional()
  :add_step{name = "total", type = "tool", tool = "calculator", input = {input = "{{input.price}} * {{input.count}}"}}
  :condition("step.total.output >= 1000")
  :add_then_step(note("boss", "{{total}}: ask the boss"))
  :add_branch("step.total.output >= 100", {note("colleague", "{{total}}: ask a colleague")})
  :add_else_step(note("pay", "{{total}}: just pay"))
  :build()

for _, price in ipairs{600, 60, 6} do print(triage:execute{price = price, count = 2}.output) end

-- Shared data belong to the workflow; a function decides with them.
local mode = Workflow.builder():name("mode"):conditional()
  :condition(function(ctx) return ctx.shared_data.mode == "fast" end)
  :add_then_step(note("fast", "quickly")):add_else_step(note("slow", "thoroughly")):build()
print(mode:execute().output)
mode:set_shared_data("mode", "fast")
print(mode:execute().output)
