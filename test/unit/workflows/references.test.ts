/** Texts and conditions that name steps whose output cannot be there, and what `validate` says about names. */
import { describe, expect, test } from "bun:test";
import { readDefinition } from "../../../src/workflows/read/definition.ts";
import { failure } from "../../support/model-service.ts";
import { bench, type Calls, noting, step } from "./support.ts";

type Table = Record<string, unknown>;

const names = (name: string) => ({ text: `see {{step.${name}.output}}` });
const asks = (name: string) => ({ condition: { type: "step_succeeded", step: name } });
const sequential = (...steps: unknown[]): Table => ({ name: "w", type: "sequential", steps });
const parallel = (...branches: unknown[]): Table => ({ name: "w", type: "parallel", branches });
const loop = (...body: unknown[]): Table => ({ name: "w", type: "loop", collection: [1, 2], body });
const branch = (name: string, ...steps: unknown[]) => ({ name, steps });
const chosen = (name: string, condition: unknown, ...steps: unknown[]) => ({ name, condition, steps });

describe("a workflow is refused", () => {
  const cases: [what: string, table: Table, rule: string][] = [
    [
      "whose step names its own output",
      sequential(step("a", names("a"))),
      'step "a": its input must not name step "a", which is the step itself: "{{step.a.output}}"',
    ],
    [
      "whose step asks for its own output in the older form",
      sequential(step("a", { text: "$step_a" })),
      'step "a": its input must not name step "a", which is the step itself',
    ],
    [
      "whose step's condition is about itself",
      sequential(step("a"), step("b", {}, asks("b"))),
      'step "b": its condition must not name step "b", which is the step itself: "step_succeeded of b"',
    ],
    [
      "whose step's expression is about itself, deep within it",
      sequential(step("a", {}, { condition: "not (input.x == 1 and step.a.output contains 'x')" })),
      'step "a": its condition must not name step "a", which is the step itself: "step.a.output"',
    ],
    [
      "whose conditions about itself are joined",
      sequential(
        step(
          "a",
          {},
          { condition: { type: "not", condition: { type: "or", conditions: [true, "$step_a"] } } },
        ),
      ),
      'step "a": its condition must not name step "a", which is the step itself',
    ],
    [
      "whose step names a later one",
      sequential(step("a", names("c")), step("b"), step("c")),
      'step "a": its input must not name step "c", which runs after it',
    ],
    [
      "whose agent is asked about a later step",
      sequential({ name: "ask", type: "agent", agent: "ada", input: "{{steps.sum.result}}" }, step("sum")),
      'step "ask": its input must not name step "sum", which runs after it',
    ],
    [
      "whose nested workflow is given a later step's output",
      sequential(
        { name: "in", type: "workflow", workflow: "other", input: { k: ["{{step:last:output}}"] } },
        step("last"),
      ),
      'step "in": its input must not name step "last", which runs after it',
    ],
    [
      "whose branch names a step beside it",
      parallel(branch("x", step("a")), branch("y", step("b", names("a")))),
      'step "b": its input must not name step "a", which runs beside it',
    ],
    [
      "whose branch names its own later step",
      parallel(branch("x", step("a", names("b")), step("b"))),
      'step "a": its input must not name step "b", which runs after it',
    ],
    [
      "whose first steps name one of a branch",
      {
        name: "w",
        type: "conditional",
        steps: [step("a", names("b"))],
        branches: [chosen("x", true, step("b"))],
      },
      'step "a": its input must not name step "b", which runs after it',
    ],
    [
      "whose branch is chosen by what it does",
      { name: "w", type: "conditional", branches: [chosen("x", "step:b:yes", step("b"))] },
      'the condition of branch "x" must not name step "b", which runs after the branches are chosen',
    ],
    [
      "whose branch names a step of another",
      {
        name: "w",
        type: "conditional",
        branches: [chosen("x", "input.n", step("a")), chosen("y", true, step("b", names("a")))],
      },
      'step "b": its input must not name step "a", which runs in another branch',
    ],
    [
      "whose default branch names a step of another",
      {
        name: "w",
        type: "conditional",
        execute_all_matching: true,
        branches: [chosen("x", "input.n", step("a"))],
        default_branch: { steps: [step("b", names("a"))] },
      },
      'step "b": its input must not name step "a", which runs in another branch',
    ],
  ];
  for (const [what, table, rule] of cases)
    test(what, async () => {
      const error = await failure(() => readDefinition(table));
      expect([
        error.code,
        error.message.startsWith(`Cannot build workflow "w": ${rule}`) || error.message,
      ]).toEqual(["invalid_argument", true]);
      expect(error.hint).toMatch(/^(Name|Put) /);
    });

  test("also where it is written within another", async () => {
    const { workflows } = bench();
    const inner = { ...sequential(step("x", names("x"))), name: "inner" };
    const outer = sequential({ name: "in", type: "workflow", workflow: inner });
    const error = await failure(() => workflows.create(outer));
    expect(error.message).toStartWith(
      'Cannot build workflow "inner": step "x": its input must not name step "x"',
    );
  });
});

describe("a workflow may name", () => {
  const cases: [what: string, table: Table][] = [
    ["steps before", sequential(step("a"), step("b", names("a"), asks("a")))],
    [
      "a field of its input that is called like the step",
      sequential(step("total", { text: "{{total}} {{input.total}}" })),
    ],
    [
      "shared data that are called like the step",
      sequential(step("a", {}, { condition: "shared.a == 1 and a == 1" })),
    ],
    [
      "what the template itself fills in",
      sequential(step("a", { template: "{{step.a.output}}", context: { "step.a.output": 1 } })),
    ],
    [
      "in a loop, what the pass before gave",
      loop(step("a", names("b"), { condition: "$iteration == 1 or step.a.success" }), step("b")),
    ],
    ["a step whose name holds points", sequential(step("a.b"), step("c", names("a.b")))],
    ["a step before whose name begins like its own", sequential(step("a"), step("a.output", names("a")))],
    [
      "steps of branches that ran before it, where all that match do",
      {
        name: "w",
        type: "conditional",
        execute_all_matching: true,
        branches: [chosen("x", true, step("a")), chosen("y", true, step("b", names("a")))],
      },
    ],
    [
      "its own step of a name that other branches have too",
      parallel(branch("x", step("a"), step("b", names("a"))), branch("y", step("a"))),
    ],
  ];
  for (const [what, table] of cases)
    test(what, () => {
      expect(readDefinition(table).name).toBe("w");
    });

  test("what a step gave in the pass before, and gets it", async () => {
    const calls: Calls = [];
    const { run } = bench({ tools: [noting(calls)] });
    const again = { condition: "$iteration == 1 or step.first.output == 'b'" };
    const body = [
      step("first", { n: "{{loop_value}}", give: "{{loop_value}}" }, again),
      step("second", { was: "{{step.first.output}}" }),
    ];
    await run({ name: "w", type: "loop", collection: ["b", "c", "d"], body });
    expect(calls.map(([, input]) => input)).toEqual([
      { n: "b", give: "b" },
      { was: "b" },
      { n: "c", give: "c" },
      { was: "c" },
      { was: "" },
    ]);
  });
});

describe("what is wrong with a workflow is told before a run", () => {
  const asStep = (name: string, workflow: unknown) => ({ name, type: "workflow", workflow });

  test.each([
    ["sequential", { steps: [asStep("again", "me")] }],
    ["parallel", { branches: [{ name: "x", steps: [asStep("again", "me")] }] }],
    ["conditional", { branches: [{ name: "x", condition: "false", steps: [asStep("again", "me")] }] }],
    ["loop", { collection: [1], body: [asStep("again", "me")] }],
  ])("a %s one that is a step of itself, with the way round", async (type, more) => {
    const { workflows } = bench();
    const me = workflows.create({ name: "me", type, ...more });
    expect((await me.problems()).errors).toEqual(["it is a step of itself: me → me"]);
  });

  test("a circle through others, from wherever one looks", async () => {
    const { workflows } = bench();
    const made = [
      ["a", "b"],
      ["b", "c"],
      ["c", "b"],
    ].map(([name, inner]) => workflows.create({ ...sequential(asStep("s", inner)), name }));
    const errors = await Promise.all(made.map(async (one) => (await one.problems()).errors));
    expect(errors).toEqual([
      ["it is a step of itself: b → c → b"],
      ["it is a step of itself: b → c → b"],
      ["it is a step of itself: c → b → c"],
    ]);
  });

  test("what steps of nested workflows lack, and where", async () => {
    const { workflows } = bench();
    const inner = { ...sequential({ name: "sum", type: "tool", tool: "calculater" }), name: "inner" };
    const outer = workflows.create(sequential(asStep("in", inner), asStep("none", "nowhere")));
    expect((await outer.problems()).errors).toEqual([
      'step "none": no such workflow: nowhere',
      'step "in" > step "sum": no such tool: calculater (Did you mean "calculator"?)',
    ]);
  });

  test("names that no step has: those of outer workflows are known", async () => {
    const { workflows } = bench({ tools: [noting([])] });
    const inner = {
      ...sequential(step("x", { text: "{{step.first.output}} {{step.frist.output}}" })),
      name: "inner",
    };
    const outer = workflows.create(
      sequential(step("first"), asStep("in", inner), step("last", {}, asks("frist"))),
    );
    expect(await outer.problems()).toEqual({
      errors: ['step "last": its condition: no such step: frist (Did you mean "first"?)'],
      warnings: [
        'step "in" > step "x": its input: {{step.frist.output}} names no step (Did you mean "first"?)',
      ],
    });
  });

  test("bare names that look like an output which cannot be there", async () => {
    const { workflows } = bench({ tools: [noting([])] });
    const one = workflows.create(
      sequential(step("a", { text: "{{b}}" }), step("b", {}, { condition: "b == 1" })),
    );
    expect(await one.problems()).toEqual({
      errors: [],
      warnings: [
        'step "a": its input: {{b}} cannot be the output of step "b", which runs after it',
        'step "b": its condition: b cannot be the output of step "b", which is the step itself',
      ],
    });
  });

  test("fields of a step that is named without `step.`: they are found nowhere", async () => {
    const { workflows } = bench({ tools: [noting([])] });
    const one = workflows.create(
      sequential(
        step("a"),
        step("b", { text: "{{a.output}} {{a}}" }, { condition: "a.result.x == 1 and input.a.x" }),
      ),
    );
    expect((await one.problems()).warnings).toEqual([
      'step "b": its condition: a.result.x names nothing: of step "a" it is step.a.result.x',
      'step "b": its input: {{a.output}} names nothing: of step "a" it is step.a.output',
    ]);
  });
});
