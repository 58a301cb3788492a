/** spec/lua-api.md section 3; spec/agents-workflows-rag.md section 12, rows 3 to 7. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { luaTable, scripted } from "./support.ts";

const ANSWERS = scripted(`[[providers.ci.responses]]
match = "classify"
text = "This is URGENT"
[[providers.ci.responses]]
text = "heard {{prompt}}"
`);

const SUM = `local function sum(name, input) return {name = name, type = "tool", tool = "calculator", input = {input = input}} end
  local function keys(t) local list = {} for k in pairs(t) do list[#list + 1] = tostring(k) end table.sort(list) return table.concat(list, " ") end
`;

luaTable("Workflow.builder", {
  setup: SUM,
  cases: [
    [
      "is changed by every method and gives itself back",
      `local b = Workflow.builder() local same = b:name("w") == b b:sequential() b:add_step(sum("a", "1+1")) b = b:build() return same, b.name, b.type, b.id:match("^workflow_%x+%-") ~= nil`,
      `true "w" "sequential" true`,
    ],
    [
      "works with dots",
      `return Workflow.builder().name("w").sequential().add_step(sum("a", "2*3")).build().execute().output`,
      "6",
    ],
    [
      "names a workflow that has no name",
      `return #Workflow.builder():sequential():add_step(sum("a", "1")):build().name`,
      "17",
    ],
    [
      "needs a type",
      `Workflow.builder():name("w"):add_step(sum("a", "1")):build()`,
      'raises: Cannot build workflow "w": Workflow type not specified',
    ],
    [
      "raises at once for an unknown type of step",
      `Workflow.builder():add_step{name = "s", type = "custom"}`,
      `raises: Cannot add the step: step "s": Unknown step type: 'custom'. Supported types: tool, agent, workflow`,
    ],
    [
      "raises at once for an agent that is nil, naming the step",
      `local a = nil return Workflow.builder():sequential():add_step{name = "analyse", type = "agent", agent = a and "x" or nil, input = "i"}`,
      `raises: Cannot add the step: step "analyse" has no agent`,
    ],
    [
      "takes loop and its other name",
      `return Workflow.builder():loop():with_range{start = 1, ["end"] = 4}:add_step(sum("a", "{{loop_value}}*2")):build():execute().output,
        Workflow.builder():loop_workflow():with_collection({"x"}):body_step(sum("a", "{{loop_index}}")):build():execute().output`,
      "{2, 4, 6} {0}",
    ],
    [
      "takes the forms of manuals",
      `return Workflow.sequential():name("m"):step("a", {tool = "calculator", params = {input = "3"}}):step("b", {tool = "calculator", params = {input = "$step_a + 1"}}):build():execute().outputs`,
      `{a="3", b="4"}`,
    ],
    [
      "branches by methods of manuals",
      `local b = Workflow.conditional():name("m"):add_step(sum("x", "5")):condition("step:x:output", 5):when_true(sum("yes", "1")):when_false({sum("no", "2")})
       return b:build():execute().outputs`,
      `{x="5", yes="1"}`,
    ],
    [
      "has extra branches, of which the first that holds runs",
      `local b = Workflow.builder():conditional():condition({type = "never"}):add_then_step(sum("t", "1")):add_branch("input.n > 10", {sum("big", "2")}):add_branch("input.n > 5", {sum("middle", "3")}):add_else_step(sum("e", "4"))
       local w = b:build() return keys(w:execute{n = 20}.outputs), keys(w:execute{n = 7}.outputs), keys(w:execute{n = 1}.outputs)`,
      `"big" "middle" "e"`,
    ],
    [
      "asks functions of the script",
      `local seen = {} local w = Workflow.builder():name("f"):loop():with_collection({1, 2, 3, 4}):loop_condition(function(c) seen[#seen + 1] = c.iteration return c.iteration < 2 end):add_step(sum("s", "{{loop_value}}")):build()
       return w:execute().output, seen`,
      "{1, 2} {0, 1, 2}",
    ],
  ],
});

luaTable("Workflow's constructors", {
  setup: SUM,
  files: {
    "flow.yaml": `name: from-file\ntype: sequential\nsteps:\n  - name: a\n    tool: calculator\n    input: { input: "{{input.n}} * 2" }\n  - name: inner\n    type: workflow\n    input: { k: "{{a}}" }\n    workflow:\n      name: inside\n      type: parallel\n      steps:\n        - { name: p, tool: calculator, input: { input: "{{k}} + 1" } }\n`,
  },
  config: "[tools.file_operations]\nallowed_paths = ['.']\n",
  cases: [
    [
      "take tables",
      `return Workflow.sequential{name = "s", steps = {sum("a", "1")}}:execute().output,
        Workflow.parallel{name = "p", branches = {{name = "x", steps = {sum("a", "1")}}, sum("y", "2")}}:execute().output,
        Workflow.conditional{name = "c", branches = {{name = "n", condition = {type = "never"}, steps = {sum("a", "1")}}}, default_branch = {steps = {sum("d", "9")}}}:execute().output,
        Workflow.loop{name = "l", iterator = {while_condition = "$iteration < 2", max_iterations = 5}, body = {sum("a", "{{iteration}}")}}:execute().output`,
      "1 {x=1, y=2} 9 {1, 2}",
    ],
    [
      "raise for what is missing",
      `Workflow.sequential{name = "s"}`,
      'raises: Cannot build workflow "s": must have at least one step',
    ],
    [
      "raise for what is not there",
      `Workflow.loop{name = "s", iterator = {}, body = {sum("a", "1")}, colour = 1}`,
      /raises: Cannot build workflow "s": "colour" is no field there/,
    ],
    [
      "refuse an empty collection",
      `Workflow.loop{name = "s", iterator = {collection = {}}, body = {sum("a", "1")}}`,
      /"iterator\.collection" must not be empty/,
    ],
    [
      "refuse a step of 0",
      `Workflow.loop{name = "s", iterator = {range = {start = 1, ["end"] = 3, step = 0}}, body = {sum("a", "1")}}`,
      /"iterator\.range\.step" must not be 0/,
    ],
    [
      "read YAML from a file, with a workflow within",
      `return Workflow.from_file("flow.yaml"):execute{n = 21}.output`,
      "{p=43}",
    ],
    ["say what is wrong with YAML", `Workflow.from_yaml("a: [")`, /^raises: Cannot read the workflow: /],
    [
      "register, find, list and forget",
      `Workflow.clear() local types = Workflow.list() local id = Workflow.register("sequential", {name = "r", steps = {sum("a", "1")}})
       local listed = Workflow.list() local found = Workflow.get(id).name, Workflow.get("r").name
       return #types, types[1].type, #listed, listed[1].type, listed[1].id == id, found, Workflow.execute("r").output, Workflow.remove(id), Workflow.get(id), Workflow.remove(id)`,
      `4 "sequential" 1 "instance" true "r" 1 true nil false`,
    ],
    [
      "tell the types",
      "Workflow.types(), Workflow.discover_types()[4].type, Workflow.discoverTypes ~= nil",
      `{"sequential", "conditional", "loop", "parallel"} "parallel" true`,
    ],
    [
      "save what has no functions, and find it again",
      `Workflow.save("kept", Workflow.sequential{name = "k", steps = {sum("a", "6*7")}}) Workflow.clear()
       local w = Workflow.get("kept") local out = w:execute().output local gone = Workflow.delete("kept") Workflow.clear() return w.name, out, gone, Workflow.get("kept")`,
      `"k" 42 true nil`,
    ],
    [
      "do not save functions",
      `Workflow.save("x", Workflow.conditional{name = "c", branches = {{name = "b", condition = function() return true end, steps = {sum("a", "1")}}}})`,
      `raises: Cannot save workflow "x": "branches[1].condition" is a function`,
    ],
    [
      "remember whether debugging is on",
      "Workflow.isDebugEnabled(), Workflow.enableDebug(true), Workflow.isDebugEnabled()",
      "false nil true",
    ],
  ],
});

luaTable("workflow:execute", {
  setup: `${SUM}
    Agent.create{name = "ada", model = "ci/scripted"}
    local function ask(name, input) return {name = name, type = "agent", agent = "ada", input = input} end`,
  config: ANSWERS,
  cases: [
    [
      "gives every field of the specification",
      `local r = Workflow.sequential{name = "w", steps = {ask("hear", "{{input.text}}")}}:execute{text = "you"}
       return keys(r), keys(r.metadata.extra), r.text:find("Sequential workflow 'w' completed successfully", 1, true), r._metadata.execution_time_ms == r.metadata.execution_time_ms`,
      /^"_metadata agent_outputs data duration_ms execution_id execution_time execution_time_ms final_state media metadata output outputs result status step_results steps success text tool_calls usage workflow_id workflow_name workflow_type" "agent_outputs execution_id failed_steps restored_steps success_rate successful_steps total_steps workflow_name workflow_type" 1 true$/,
    ],
    [
      "tells agents' outputs by agent and by step, each once",
      `local r = Workflow.sequential{name = "w", steps = {ask("first", "one"), ask("second", "two")}}:execute()
       local map, list = r.metadata.extra.agent_outputs, r.agent_outputs
       return keys(map), map.ada, map.first, map.second, #list, list[1][1], list[1][2], list[1].name, list[1].output, list.ada, list.first`,
      `"ada" "heard two" "heard one" "heard two" 1 "ada" "heard two" "ada" "heard two" "heard two" "heard one"`,
    ],
    [
      "has no agents' outputs where there was no agent",
      `Workflow.sequential{name = "w", steps = {sum("a", "1")}}:execute().metadata.extra.agent_outputs`,
      "nil",
    ],
    [
      "renders another step's result into a template, and leaves the template's own variables",
      `local w = Workflow.builder():name("t"):sequential()
         :add_step{name = "generate_id", type = "tool", tool = "uuid-generator", input = {operation = "generate", version = "v4"}}
         :add_step{name = "render", type = "tool", tool = "template-creator", input = {template = "ID: {{step.generate_id.result}} {{title}}", context = {title = "T"}}}:build()
       local r = w:execute{text = "go"} return r.outputs.render:match("^ID: %x+%-%x+%-4%x+%-%x+%-%x+ T$") ~= nil, r.outputs.render:find(r.outputs.generate_id, 1, true)`,
      "true 5 40",
    ],
    [
      "takes an agent itself, a table with a text, and a plain text as input",
      `local w = Workflow.builder():name("i"):sequential():add_step{name = "a", type = "agent", agent = Agent.get("ada"), input = {text = "hi {{input}}"}}:build()
       return w:execute("bob").output, w:execute{input = "eve"}.output, w:execute{text = "ann"}.output`,
      `"heard hi bob" "heard hi eve" "heard hi ann"`,
    ],
    [
      "chooses by what an agent said before",
      `local w = Workflow.builder():name("c"):conditional():add_step(ask("label", "classify this")):condition{type = "agent_classification", step = "label", label = "urgent"}
         :add_then_step(sum("now", "1")):add_else_step(sum("later", "2")):build()
       return keys(w:execute().outputs)`,
      `"label now"`,
    ],
    [
      "hands its results to a nested workflow",
      `local inner = Workflow.sequential{name = "in", steps = {ask("say", "got {{input.data}}")}}
       local r = Workflow.builder():name("out"):sequential():add_step(sum("process", "6*7")):add_step{name = "sub", type = "workflow", workflow = inner, input = {data = "{{step.process.result}}"}}:build():execute()
       return r.output, r.metadata.extra.agent_outputs.ada`,
      `"heard got 42" "heard got 42"`,
    ],
    [
      "raises what failed",
      `Workflow.sequential{name = "w", steps = {sum("bad", "1 +")}}:execute()`,
      /^raises: Workflow execution error: step "bad" failed: /,
    ],
    [
      "tells failures with `continue`",
      `local r = Workflow.sequential{name = "w", error_strategy = "continue", steps = {sum("bad", "1 +"), sum("ok", "1")}}:execute()
       return r.success, r.status, #tostring(r.error) > 0, r.error.message == tostring(r.error), r.steps.bad.success, r.steps.ok.output, r.outputs.bad`,
      `false "partially_completed" true true false 1 nil`,
    ],
    [
      "runs a tool of the script, which may run a workflow",
      `local inner = Workflow.sequential{name = "in", steps = {sum("a", "{{n}}+1")}}
       Tool.register("nest", function(p) return inner:execute{n = p.n}.output end)
       return Workflow.sequential{name = "w", steps = {{name = "t", type = "tool", tool = "nest", input = {n = 41}}}}:execute().output`,
      "42",
    ],
    [
      "runs branches side by side with tools of the script",
      `local order = {} Tool.register("mark", function(p) order[#order + 1] = p.n return p.n end)
       local steps = {} for i = 1, 6 do steps[i] = {name = "s" .. i, type = "tool", tool = "mark", input = {n = i}} end
       local r = Workflow.parallel{name = "p", steps = steps, max_concurrency = 3}:execute() return r.metadata.extra.successful_branches, #order, r.output.s6`,
      "6 6 6",
    ],
    [
      "keeps shared data to itself, and sees those that are set",
      `local w = Workflow.builder():name("s"):conditional():condition{type = "shared_data_equals", key = "mode", value = "fast"}:add_then_step(sum("f", "1")):add_else_step(sum("s", "2")):build()
       local before = keys(w:execute().outputs) w:set_shared_data("mode", "fast") return before, keys(w:execute().outputs), w:get_shared_data("mode"), w:execute().final_state.mode`,
      `"s" "f" "fast" "fast"`,
    ],
    [
      "writes the state keys of the specification",
      `local w = Workflow.sequential{name = "w", steps = {sum("a", "1+1"), ask("b", "x")}} local r = w:execute() local id = r.execution_id
       return State.workflow_get(id, "a").output, State.load("custom", ":workflow:" .. id .. ":a").step_name, State.load("global", "workflow:" .. id .. ":agent:ada:output"),
         State.load("any", "workflow:" .. id .. ":final_output"), State.workflow_get(id, "state").status, State.load("x", "workflow:" .. w.id .. ":step:calculator:output"), State.workflow_list(id)`,
      `2 "a" "heard x" "heard x" "completed" 2 {"a", "agent:ada:output", "b", "final_output", "state"}`,
    ],
    [
      "writes those of branches and loops",
      `local c = Workflow.conditional{name = "c", branches = {{name = "yes", condition = true, steps = {sum("a", "1")}}}}:execute().execution_id
       local l = Workflow.loop{name = "l", iterator = {collection = {5, 6}}, body = {sum("a", "{{loop_value}}")}}:execute().execution_id
       return State.workflow_get(c, "branch_yes:a").output, State.load("x", "workflow:loop_" .. l .. ":iteration_1:a").output, State.workflow_get(l, "iteration_0:a").output, State.load("x", "workflow:loop_" .. l .. ":aggregated")`,
      "1 6 5 {5, 6}",
    ],
    [
      "runs when another table than a workflow is given",
      `Workflow.execute({})`,
      /^raises: Cannot use the workflow: it must be a workflow, its id or its name/,
    ],
  ],
});

luaTable("A workflow's other methods", {
  setup: `${SUM} local function w() return Workflow.sequential{name = "w", description = "d", steps = {sum("a", "1+1"), sum("b", "{{a}}*2")}} end`,
  cases: [
    [
      "get_info",
      "keys(w():get_info()), w():get_info().description, w():getInfo().type",
      `"description id name type" "d" "sequential"`,
    ],
    [
      "outputs before a run",
      "w():get_output('a')",
      "raises: No workflow execution found. Run execute() first.",
    ],
    [
      "the id before a run",
      "w():get_execution_id()",
      "raises: No workflow execution found. Run execute() first.",
    ],
    [
      "outputs of the last run",
      `local x = w() local r = x:execute() return x:get_output("b"), x:get_all_outputs(), x:list_outputs(), x:get_execution_id() == r.execution_id, x:clear_outputs(), x:list_outputs()`,
      `4 {a=2, b=4} {"a", "b"} true {deleted=2} {}`,
    ],
    [
      "state of its own",
      `local x = w() return x:set_state("k", {1, 2}), x:get_state("k"), x:get_state("none"), State.load("global", "workflow:" .. x.id .. ":k")`,
      "true {1, 2} nil {1, 2}",
    ],
    [
      "callbacks",
      `local seen, x = {}, w() x:on_before_execute(function(i) seen[#seen + 1] = i.k end) x:on_after_execute(function(r) seen[#seen + 1] = r.output end)
       local bad = Workflow.sequential{name = "bad", steps = {sum("a", "1 +")}} bad:on_error(function(m) seen[#seen + 1] = m:match("^step \\"a\\" failed") end)
       Workflow.setDefaultErrorHandler(function(m) seen[#seen + 1] = #m > 0 end) x:execute{k = "in"} pcall(bad.execute, bad) return seen, keys(x:on_error(print))`,
      `{"in", 4, "step \\34a\\34 failed", true} "hook_type message workflow_id"`.replaceAll("\\34", '"'),
    ],
    [
      "progress, of all runs and of one",
      `local seen, x = {}, w() x:on_progress(function(p) seen[#seen + 1] = p.type .. ":" .. (p.step or "") end) local one = 0
       x:execute({}, {on_progress = function() one = one + 1 end}) return table.concat(seen, " "), one`,
      `"workflow_started: step_started:a step_completed:a step_started:b step_completed:b workflow_completed:" 6`,
    ],
    [
      "a run in the background",
      `local got local run = w():execute_async({}, function(r) got = r.output end) local r = run:wait() return r.output, r.success, run:status(), got`,
      `4 true "completed" 4`,
    ],
    [
      "a run in the background that is cancelled",
      `Tool.register("slow", function() local t = os.clock() while true do Tool.execute("calculator", {input = "1"}) end end)
       local x = Workflow.sequential{name = "x", steps = {{name = "s", type = "tool", tool = "slow"}}}
       local run = x:execute_async() run:cancel() local r = run:wait() return r.success, run:status(), x:get_status().state, tostring(r.error):find("cancelled") ~= nil`,
      `false "cancelled" "cancelled" true`,
    ],
    [
      "metrics",
      `local x = w() x:execute() local m = x:get_metrics() return keys(m.execution), m.execution.total_executions, m.execution.successful_executions, m.workflow_id == x.id`,
      `"average_duration_ms failed_executions last_execution_time successful_executions total_executions" 1 1 true`,
    ],
    [
      "status",
      `local x = w() local before = x:get_status().state x:execute() return before, x:get_status().state`,
      `"pending" "completed"`,
    ],
    [
      "validate",
      `local good, bad = w():validate(), Workflow.sequential{name = "b", steps = {{name = "s", type = "tool", tool = "calculater"}}}:validate() return good.valid, #good.errors, bad.valid, bad.errors[1]`,
      `true 0 false "step "s": no such tool: calculater (Did you mean "calculator"?)"`,
    ],
    [
      "emit",
      `local x = w() local e = x:emit("my.event", {n = 1}) return e.success, e.event_name, e.workflow_id == x.id`,
      `true "my.event" true`,
    ],
    [
      "debug",
      `keys(w():debug()), keys(w():debug().runtime)`,
      `"name runtime status type workflow_id" "created_at state_keys"`,
    ],
  ],
});

luaTable("A workflow in a session", {
  config: "[runtime.sessions]\nenabled = true\n",
  setup: SUM,
  cases: [
    [
      "is recorded by what its steps do, and replayed",
      `local id = Session.create{name = "r"} Session.set_current(id) Agent.create{name = "echo", type = "basic"}
       local ask = {name = "b", type = "agent", agent = "echo", input = "x {{a}}"}
       local out = Workflow.sequential{name = "w", steps = {sum("a", "6*7"), ask}}:execute().output
       Session.save(id) local replay = Session.replay(id) return out, replay.hooks_replayed, replay.mismatches`,
      `"x 42" 2 0`,
    ],
  ],
});

describe("a workflow in a script", () => {
  test("is ended with the script's own limit, and by Ctrl-C", async () => {
    using box = new Sandbox();
    box.write(
      "endless.lua",
      `print("begun") Workflow.loop{name = "l", iterator = {while_condition = "true", max_iterations = 1000000000}, body = {{name = "s", type = "tool", tool = "calculator", input = {input = "1"}}}}:execute()`,
    );
    const proc = box.start(["run", "endless.lua"]);
    for await (const chunk of proc.stdout) {
      expect(new TextDecoder().decode(chunk)).toBe("begun\n");
      proc.kill("SIGINT");
      break;
    }
    expect(await proc.exited).toBe(130);
  });

  test("runs without state", async () => {
    using box = new Sandbox();
    box.write("off.toml", "[runtime.state_persistence]\nenabled = false\n");
    const script = `local r = Workflow.sequential{name = "w", steps = {{name = "a", tool = "calculator", input = {input = "1+1"}}}}:execute() print(r.output)`;
    const done = await box.lua(script, { args: ["-c", "off.toml"] });
    expect([done.stdout, done.stderr, done.code]).toEqual(["2\n", "", 0]);
  });
});
