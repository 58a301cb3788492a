-- A body for every value of a list or a range, or as long as a condition holds.
local squares = Workflow.builder():name("squares"):loop():with_range{start = 1, ["end"] = 6}
  :add_step{name = "square", type = "tool", tool = "calculator", input = {input = "{{loop_value}} * {{loop_value}}"}}
  :build()
print(table.concat(squares:execute().output, " "))

local names = Workflow.loop{
  name = "names",
  iterator = {collection = {{first = "ada", role = "author"}, {first = "bob", role = "reader"}}},
  body = {{name = "greet", type = "tool", tool = "text-manipulator",
    input = {operation = "uppercase", input = "{{loop_index}}: {{loop:current_item.first}}, {{loop:current_item.role}}"}}},
}
for _, line in ipairs(names:execute().output) do print(line) end

-- It ends where a condition no longer holds, or where a break condition does.
local total = 1
Tool.register("double", function() total = total * 2 return total end)
local doubled = Workflow.builder():name("doubled"):loop():with_while("$iteration < 100")
  :body_step{name = "double", type = "tool", tool = "double"}
  :break_condition("step.double.output > 100"):build():execute()
print(doubled.output[#doubled.output], doubled.metadata.extra.total_iterations, doubled.metadata.extra.break_reason)
