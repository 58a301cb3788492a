/** What a script is told of a run: agents' outputs in every type, and what happens while it happens. */
import { luaTable, scripted } from "./support.ts";

const SETUP = `
for _, name in ipairs{"ada", "bob"} do Agent.create{name = name, model = "ci/scripted", memory_enabled = false} end
local function ask(name, input, agent) return {name = name, type = "agent", agent = agent or "ada", input = input} end
local function sum(name, input) return {name = name, type = "tool", tool = "calculator", input = {input = input}} end
local function told(r)
  local list, map, rows = r.agent_outputs, r.metadata.extra.agent_outputs, {}
  for i, entry in ipairs(list) do
    assert(entry[1] == entry.name and entry[2] == entry.output and list[entry.name] == entry.output and map[entry.name] == entry.output)
    rows[i] = entry.name .. "=" .. entry.output
  end
  local count = 0
  for _ in pairs(map) do count = count + 1 end
  return table.concat(rows, ", "), count
end
`;
const CONFIG = scripted(`[[providers.ci.responses]]\ntext = "heard {{prompt}}"\n`);

luaTable("agents' outputs, as a list and as a map,", {
  setup: SETUP,
  config: CONFIG,
  cases: [
    [
      "of a sequential workflow: the last text of each, in the order in which they ended",
      `told(Workflow.sequential{name = "w", steps = {ask("one", "1"), ask("two", "2", "bob"), ask("three", "3")}}:execute())`,
      `"bob=heard 2, ada=heard 3" 2`,
    ],
    [
      "of a parallel one",
      `told(Workflow.parallel{name = "w", max_concurrency = 1, branches = {{name = "x", steps = {ask("one", "1", "bob"), sum("s", "1")}}, {name = "y", steps = {ask("two", "2")}}}}:execute())`,
      `"bob=heard 1, ada=heard 2" 2`,
    ],
    [
      "of a conditional one: of the steps before, and of the branch that ran",
      `told(Workflow.conditional{name = "w", steps = {ask("one", "1")}, branches = {
        {name = "never", condition = "step.one.output contains 'nothing'", steps = {ask("no", "x", "bob")}},
        {name = "then", condition = {type = "agent_classification", step = "one", label = "HEARD"}, steps = {ask("yes", "{{one}}!", "bob")}}}}:execute())`,
      `"ada=heard 1, bob=heard heard 1!" 2`,
    ],
    [
      "of a loop: of the last pass",
      `told(Workflow.loop{name = "w", iterator = {collection = {"x", "y"}}, body = {ask("one", "{{loop_value}}"), ask("two", "{{one}}", "bob")}}:execute())`,
      `"ada=heard y, bob=heard heard y" 2`,
    ],
    [
      "of nested ones of each type",
      `local inner = {
         Workflow.parallel{name = "p", steps = {ask("a", "{{input.k}}", "bob")}},
         Workflow.conditional{name = "c", branches = {{name = "b", condition = true, steps = {ask("a", "{{input.k}}", "bob")}}}},
         Workflow.loop{name = "l", iterator = {range = {start = 1, ["end"] = 3}}, body = {ask("a", "{{input.k}}{{loop_value}}", "bob")}},
       }
       local seen = {}
       for i, w in ipairs(inner) do
         seen[i] = told(Workflow.sequential{name = "w", steps = {ask("first", "1"), {name = "in", type = "workflow", workflow = w, input = {k = "{{first}}?"}}}}:execute())
       end
       return seen`,
      `{"ada=heard 1, bob=heard heard 1?", "ada=heard 1, bob=heard heard 1?", "ada=heard 1, bob=heard heard 1?2"}`,
    ],
    [
      "by the name of a step too",
      `local r = Workflow.loop{name = "w", iterator = {collection = {"x", "y"}}, body = {ask("say", "{{loop_value}}")}}:execute()
       return r.agent_outputs.say, r.metadata.extra.agent_outputs.say, r.agent_outputs.nobody`,
      `"heard y" "heard y" nil`,
    ],
    [
      "of what was done before a failure that was passed over",
      `told(Workflow.parallel{name = "w", error_strategy = "continue", max_concurrency = 1, branches = {{name = "x", steps = {ask("one", "1")}}, {name = "y", steps = {sum("bad", "1 +"), ask("two", "2", "bob")}}}}:execute())`,
      `"ada=heard 1, bob=heard 2" 2`,
    ],
  ],
});

const MARKS = `${SETUP}
local seen = {}
local function note(text) seen[#seen + 1] = text end
Tool.register("mark", function(p) note("call " .. p.n) return p.n end)
local function mark(n) return {name = n, type = "tool", tool = "mark", input = {n = n}} end
local function short(p) return (p.type:gsub("^workflow_", ""):gsub("^step_", "") .. (p.step and " " .. p.step or "")) end
local function taken() local text = table.concat(seen, ", ") seen = {} return text end
`;

luaTable("progress comes to functions of the script", {
  setup: MARKS,
  config: CONFIG,
  cases: [
    [
      "while the run goes on: between the calls of its steps",
      `local w = Workflow.sequential{name = "w", steps = {mark("a"), mark("b")}}
       w:execute({}, {on_progress = function(p) note(short(p)) end}) return taken()`,
      `"started, started a, call a, completed a, started b, call b, completed b, completed"`,
    ],
    [
      "with passes, branches and repetitions",
      `local tries = 0 Tool.register("once", function() tries = tries + 1 if tries == 1 then error("no") end return 1 end)
       local w = Workflow.loop{name = "l", iterator = {collection = {1, 2}}, body = {{name = "in", type = "workflow", workflow = Workflow.conditional{name = "c", branches = {{name = "b", condition = true, steps = {mark("x")}}}}},
         {name = "o", type = "tool", tool = "once", retry_count = 1, retry_delay_ms = 1}}}
       w:on_progress(function(p) note(short(p) .. (p.index and p.step == nil and "#" .. p.index or "") .. ((p.retry_attempt or 0) > 0 and " again" or "")) end)
       w:execute() return taken()`,
      `"started, iteration_started#0, started in, call x, completed in, started o, started o again, completed o, iteration_started#1, started in, call x, completed in, started o, completed o, completed"`,
    ],
    [
      "of workflows within it to those who asked there",
      `local inner = Workflow.sequential{name = "inner", steps = {mark("x")}}
       inner:on_progress(function(p) note("inner " .. short(p) .. (p.path and " at " .. p.path or "")) end)
       inner:on_before_execute(function(i) note("before " .. i.k) end) inner:on_after_execute(function(r) note("after " .. r.output) end)
       local outer = Workflow.sequential{name = "outer", steps = {{name = "in", type = "workflow", workflow = inner, input = {k = "v"}}}}
       outer:execute({}, {on_progress = function(p) note("outer " .. short(p)) end}) return taken()`,
      `"outer started, outer started in, before v, inner started, inner started x at in/x, call x, inner completed x at in/x, inner completed, after x, outer completed in, outer completed"`,
    ],
    [
      "of a failure within a workflow, once to each who asked",
      `local inner = Workflow.sequential{name = "inner", steps = {sum("bad", "1 +")}}
       inner:on_error(function() note("inner fails") end) inner:on_progress(function(p) if p.type == "workflow_failed" then note("inner failed") end end)
       local outer = Workflow.sequential{name = "outer", steps = {{name = "in", type = "workflow", workflow = inner}}}
       outer:on_error(function(m) note("outer fails: " .. m:match('^step "%w+" failed')) end)
       pcall(outer.execute, outer) return taken()`,
      `"inner failed, inner fails, outer fails: step "in" failed"`,
    ],
    [
      "of a run in the background, before its end is told",
      `local w = Workflow.sequential{name = "w", steps = {mark("a")}}
       w:on_before_execute(function() note("before") end) w:on_after_execute(function() note("after") end)
       local run = w:execute_async({}, function(r) note("ended " .. r.output) end, {on_progress = function(p) note(short(p)) end})
       local r = run:wait() return taken(), r.output, run:status()`,
      `"before, started, started a, call a, completed a, completed, after, ended a" "a" "completed"`,
    ],
    [
      "of one in the background that fails, and of one that is cancelled",
      `local bad = Workflow.sequential{name = "bad", steps = {sum("b", "1 +")}} bad:on_error(function() note("fails") end)
       local r = bad:execute_async({}, function(x) note("ended " .. x.status) end):wait()
       local slow = Workflow.loop{name = "slow", iterator = {while_condition = "true", max_iterations = 1000000}, body = {sum("s", "1")}}
       slow:on_error(function() note("slow fails") end)
       local run = slow:execute_async({}, function(x) note("ended " .. x.status) end) run:cancel() local c = run:wait()
       return taken(), r.success, c.success, c.status`,
      `"fails, ended failed, slow fails, ended cancelled" false false "cancelled"`,
    ],
    [
      "of several runs in the background at once, each with its own order",
      `local runs, by = {}, {}
       for i = 1, 3 do
         local w = Workflow.sequential{name = "w" .. i, steps = {mark("a"), mark("b")}} by["w" .. i] = {}
         runs[i] = w:execute_async({}, nil, {on_progress = function(p) table.insert(by[p.workflow], short(p)) end})
       end
       for i = 1, 3 do runs[i]:wait() end taken()
       return table.concat(by.w1, ", "), table.concat(by.w1) == table.concat(by.w2) and table.concat(by.w2) == table.concat(by.w3)`,
      `"started, started a, completed a, started b, completed b, completed" true`,
    ],
  ],
});
