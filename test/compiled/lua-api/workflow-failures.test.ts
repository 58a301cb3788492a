/** Failures of steps and of conditions in every type of workflow: what is done, what is told, what is raised. */
import { describe } from "bun:test";
import { type Case, luaTable } from "./support.ts";

/**
 * `flaky` fails the first `fails` times it is called under a name. `of` makes a workflow of a type with these steps, one
 * after another; `try` runs it and gives what was called and how it ended.
 */
const SETUP = `
local calls, tries = {}, {}
Tool.register("flaky", function(p)
  calls[#calls + 1] = p.n
  tries[p.n] = (tries[p.n] or 0) + 1
  if tries[p.n] <= (p.fails or 0) then error("not yet " .. tries[p.n]) end
  return p.n .. tries[p.n]
end)
local function step(n, fails, more)
  local s = {name = n, type = "tool", tool = "flaky", input = {n = n, fails = fails or 0}}
  for k, v in pairs(more or {}) do s[k] = v end
  return s
end
local function of(type, steps, more)
  local w = {name = "w", retry_delay_ms = 1}
  if type == "sequential" then w.steps = steps
  elseif type == "parallel" then w.steps, w.max_concurrency = steps, 1
  elseif type == "conditional" then w.branches = {{name = "always", condition = true, steps = steps}}
  else w.iterator, w.body = {collection = {"x"}}, steps end
  for k, v in pairs(more or {}) do w[k] = v end
  return Workflow[type](w)
end
local function try(w)
  calls, tries = {}, {}
  local ok, r = pcall(w.execute, w)
  local done = table.concat(calls, " ")
  if not ok then return done, false, tostring(r):match('^Workflow execution error: (step "%w+" failed)') or tostring(r) end
  return done, r.success, r.status, r.steps
end
`;

const TYPES = ["sequential", "parallel", "conditional", "loop"] as const;

for (const type of TYPES) {
  const cases: Case[] = [
    [
      "stops at the first failure and raises it, with fail_fast",
      `return try(of("${type}", {step("bad", 9), step("good")}))`,
      `"bad" false "step "bad" failed"`,
    ],
    [
      "takes another word for fail_fast",
      `return try(of("${type}", {step("bad", 9), step("good")}, {error_strategy = "panic"}))`,
      `"bad" false "step "bad" failed"`,
    ],
    [
      "goes on and tells of it, with continue",
      `local done, success, status, steps = try(of("${type}", {step("bad", 9), step("good")}, {error_strategy = "continue"}))
       return done, success, status, steps.bad.success, tostring(steps.bad.error):match("not yet 1"), steps.good.output`,
      `"bad good" false "partially_completed" false "not yet 1" "good1"`,
    ],
    [
      "has failed where nothing was done, with continue",
      `local done, success, status = try(of("${type}", {step("bad", 9)}, {error_strategy = "continue"})) return done, success, status`,
      `"bad" false "failed"`,
    ],
    [
      "tries three times, with retry",
      `local done, success, status, steps = try(of("${type}", {step("bad", 2), step("good")}, {error_strategy = "retry"}))
       return done, success, status, steps.bad.output, steps.bad.retry_count, steps.good.retry_count`,
      `"bad bad bad good" true "completed" "bad3" 2 0`,
    ],
    [
      "and no more than three times",
      `return try(of("${type}", {step("bad", 3), step("good")}, {error_strategy = "retry"}))`,
      `"bad bad bad" false "step "bad" failed"`,
    ],
    [
      "repeats a step that says on_error = retry, and no other",
      `local done, success, status, steps = try(of("${type}", {step("bad", 2, {on_error = "retry", retry_delay_ms = 1}), step("good")}))
       return done, success, steps.bad.output`,
      `"bad bad bad good" true "bad3"`,
    ],
    [
      "raises what on_error = retry could not mend",
      `return try(of("${type}", {step("bad", 3, {on_error = "retry", retry_delay_ms = 1}), step("good")}))`,
      `"bad bad bad" false "step "bad" failed"`,
    ],
    [
      "passes over a step that says so itself",
      `local done, success, status = try(of("${type}", {step("bad", 9, {on_error = "skip"}), step("good")})) return done, success, status`,
      `"bad good" false "partially_completed"`,
    ],
    [
      "raises what a step's condition raises, naming the step",
      `return try(of("${type}", {step("first"), step("second", 0, {condition = function() error("no idea") end}), step("third")}, {error_strategy = "continue"}))`,
      /^"first" false "Workflow execution error: the condition of step "second" failed: Cannot evaluate a condition of workflow "w": .*no idea/,
    ],
  ];
  luaTable(`a ${type} workflow whose steps fail`, { setup: SETUP, cases });
}

luaTable("a workflow that cannot be right", {
  setup: SETUP,
  cases: [
    [
      "is refused where a step names its own output",
      `Workflow.sequential{name = "w", steps = {step("a", 0, {input = {n = "{{step.a.output}}"}})}}`,
      `raises: Cannot build workflow "w": step "a": its input must not name step "a", which is the step itself: "{{step.a.output}}"`,
    ],
    [
      "is refused by a builder too, where a condition is about a later step",
      `local b = Workflow.builder():name("w"):sequential():add_step(step("a", 0, {condition = "step.b.success"})):add_step(step("b")) return b:build()`,
      `raises: Cannot build workflow "w": step "a": its condition must not name step "b", which runs after it: "step.b.success"`,
    ],
    [
      "says so where it is a step of itself, by name, deep within it, in any type",
      `local errors = {}
       for i, type in ipairs{"sequential", "parallel", "conditional", "loop"} do
         local inner = of(type, {{name = "again", type = "workflow", workflow = "outer" .. i}}, {name = "inner" .. i})
         local outer = of(type, {{name = "in", type = "workflow", workflow = inner}}, {name = "outer" .. i})
         local v = outer:validate() errors[i] = tostring(v.valid) .. " " .. v.errors[1]
         assert(not pcall(outer.execute, outer))
       end
       return errors`,
      `{"false it is a step of itself: outer1 → inner1 → outer1", "false it is a step of itself: outer2 → inner2 → outer2", "false it is a step of itself: outer3 → inner3 → outer3", "false it is a step of itself: outer4 → inner4 → outer4"}`,
    ],
    [
      "is told what it lacks before it runs",
      `local v = Workflow.sequential{name = "w", steps = {step("a"), step("b", 0, {condition = {type = "step_failed", step = "nowhere"}, input = {n = "{{a.output}} {{step.elsewhere.output}}"}})}}:validate()
       return v.valid, v.errors, v.warnings`,
      `false {"step "b": its condition: no such step: nowhere"} {"step "b": its input: {{a.output}} names nothing: of step "a" it is step.a.output", "step "b": its input: {{step.elsewhere.output}} names no step"}`,
    ],
  ],
});

describe("conditions that fail", () => {
  const table = (what: string, fields: string): Case => [
    what,
    `return try(Workflow.${fields})`,
    new RegExp(
      `false "Workflow execution error: ${what} failed: Cannot evaluate a condition of workflow "w": .*no idea`,
    ),
  ];
  const raises = `function() error("no idea") end`;

  luaTable("end the run", {
    setup: SETUP,
    cases: [
      table(
        'the condition of branch "b"',
        `conditional{name = "w", branches = {{name = "b", condition = ${raises}, steps = {step("a")}}}, default_branch = {steps = {step("b")}}}`,
      ),
      table(
        "the condition of the loop",
        `loop{name = "w", iterator = {while_condition = ${raises}}, body = {step("a")}}`,
      ),
      table(
        "the condition of the loop",
        `loop{name = "w", loop_condition = ${raises}, iterator = {collection = {1, 2}}, body = {step("a")}}`,
      ),
      table(
        "break condition 2",
        `loop{name = "w", iterator = {collection = {1, 2}}, body = {step("a")}, break_conditions = {"false", ${raises}}, error_strategy = "continue"}`,
      ),
    ],
  });

  luaTable("are asked as often as they must, and no more", {
    setup: SETUP,
    cases: [
      [
        "a while condition before each pass",
        `local asked = {} local w = Workflow.loop{name = "w", iterator = {while_condition = function(c) asked[#asked + 1] = c.iteration return c.iteration < 2 end}, body = {step("a")}}
         local done = try(w) return done, asked`,
        `"a a" {0, 1, 2}`,
      ],
      [
        "a break condition after each pass, with what the pass gave",
        `local seen = {} local w = Workflow.loop{name = "w", iterator = {collection = {"x", "y", "z"}}, body = {step("a")}, break_conditions = {function(c) seen[#seen + 1] = c.steps.a.output return c.loop_value == "y" end}}
         local done = try(w) return done, seen`,
        `"a a" {"a1", "a2"}`,
      ],
    ],
  });
});

luaTable("a loop with iteration_delay_ms", {
  setup: SETUP,
  cases: [
    [
      "waits between its passes, and neither before nor after them",
      `local t = Debug.timer("t") try(Workflow.loop{name = "w", iterator = {collection = {1, 2, 3}}, iteration_delay_ms = 60, body = {step("a")}})
       local three = t:stop() t = Debug.timer("t") try(Workflow.loop{name = "w", iterator = {collection = {1}}, iteration_delay_ms = 5000, body = {step("a")}})
       return three >= 119, t:stop() < 4000`,
      "true true",
    ],
    [
      "is ended there too, by its time",
      `local w = Workflow.loop{name = "w", iterator = {collection = {1, 2}}, iteration_delay_ms = 60000, timeout_ms = 100, body = {step("a")}}
       return try(w)`,
      `"a" false "Workflow execution error: workflow "w" timed out: timeout_ms is 100"`,
    ],
    [
      "refuses a pause that is none",
      `Workflow.loop{name = "w", iterator = {collection = {1}}, iteration_delay_ms = -1, body = {step("a")}}`,
      `raises: Cannot build workflow "w": "iteration_delay_ms" must be at least 0: -1`,
    ],
  ],
});
