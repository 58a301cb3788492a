/** spec/lua-api.md sections 3.1 to 3.4: what a definition may hold, and how it is refused. */
import { describe, expect, test } from "bun:test";
import { Handle } from "../../../src/core/values.ts";
import { readDefinition } from "../../../src/workflows/read/definition.ts";
import { failure } from "../../support/model-service.ts";
import { bench, step, TestFunction } from "./support.ts";

const STEP = step("a");
const sequential = (steps: unknown, more: object = {}) => ({ name: "w", type: "sequential", steps, ...more });
const loop = (iterator: object, more: object = {}) => ({
  name: "w",
  type: "loop",
  iterator,
  body: [STEP],
  ...more,
});

describe("a definition is refused", () => {
  const cases: [what: string, table: Record<string, unknown>, message: string | RegExp][] = [
    [
      "without a type",
      { name: "w", steps: [STEP] },
      'Cannot build workflow "w": Workflow type not specified',
    ],
    ["of an unknown type", { name: "w", type: "graph" }, /"type" must be one of sequential, .*: "graph"/],
    ["without steps", sequential([]), 'Cannot build workflow "w": must have at least one step'],
    ["with a field that it has not", sequential([STEP], { stepz: [] }), /"stepz" is no field there/],
    [
      "with a step's field that it has not",
      sequential([{ ...STEP, inputs: {} }]),
      /"steps\[1\]\.inputs" is no field/,
    ],
    ["with two steps of one name", sequential([STEP, STEP]), /"steps\[2\]\.name" must be unique.*: "a"/],
    [
      "with a step without a name",
      sequential([{ type: "tool", tool: "x" }]),
      /"steps\[1\]\.name" must be a string: nil/,
    ],
    [
      "with an unknown type of step",
      sequential([{ name: "a", type: "shell" }]),
      /Unknown step type: 'shell'\. Supported types: tool, agent, workflow/,
    ],
    [
      "with a function for a step",
      sequential([{ name: "a", type: "function" }]),
      /Unknown step type: 'function'/,
    ],
    [
      "with a step without a tool",
      sequential([{ name: "a", type: "tool" }]),
      /"steps\[1\]\.tool" must be a string: nil/,
    ],
    [
      "with an agent that is nil",
      sequential([{ name: "ask", type: "agent" }]),
      /of step "ask" is missing: there is no agent/,
    ],
    ["with a workflow that is nil", sequential([{ name: "a", type: "workflow" }]), /of step "a" is missing/],
    [
      "with a step that is no table",
      sequential(["a"]),
      /"steps\[1\]" must be a table with named fields: "a"/,
    ],
    [
      "with an input that is no table",
      sequential([{ ...STEP, input: "x" }]),
      /"steps\[1\]\.input" must be a table: "x"/,
    ],
    [
      "with a function in an input",
      sequential([step("a", { f: new TestFunction(() => 1) as never })]),
      /"steps\[1\]\.input\.f" must be data: a function/,
    ],
    ["with a time of 0", sequential([step("a", {}, { timeout_ms: 0 })]), /timeout_ms" must be at least 1: 0/],
    [
      "with half a repetition",
      sequential([step("a", {}, { retry_count: 1.5 })]),
      /must be a whole number: 1.5/,
    ],
    [
      "with an unknown on_error",
      sequential([step("a", {}, { on_error: "panic" })]),
      /must be one of retry, skip/,
    ],
    ["without branches", { name: "w", type: "parallel" }, /must have at least one step/],
    [
      "with no place for a branch",
      { name: "w", type: "parallel", steps: [STEP], max_concurrency: 0 },
      /at least 1: 0/,
    ],
    [
      "with two branches of one name",
      {
        name: "w",
        type: "parallel",
        branches: [
          { name: "b", steps: [STEP] },
          { name: "b", steps: [STEP] },
        ],
      },
      /branches\[2\]\.name" must be unique/,
    ],
    [
      "with over 100 branches",
      { name: "w", type: "parallel", steps: Array.from({ length: 101 }, (_, i) => step(`s${i}`)) },
      /must not have more than 100 branches: 101/,
    ],
    [
      "with an empty branch",
      { name: "w", type: "parallel", branches: [{ name: "b", steps: [] }] },
      /steps" must not be empty/,
    ],
    [
      "with no branch to choose",
      { name: "w", type: "conditional", steps: [STEP] },
      /must have at least one branch/,
    ],
    [
      "with an unknown condition",
      { name: "w", type: "conditional", condition: { type: "maybe" }, then_steps: [STEP] },
      /"condition\.type" is no type of condition: "maybe"/,
    ],
    [
      "with an expression that cannot be read",
      { name: "w", type: "conditional", condition: "a == ", then_steps: [STEP] },
      /"condition" cannot be read: a value is expected, it ends at column 6: a ==/,
    ],
    [
      "with a step of 0",
      loop({ range: { start: 1, end: 5, step: 0 } }),
      /"iterator\.range\.step" must not be 0/,
    ],
    [
      "with a range that never runs",
      loop({ range: { start: 5, end: 1 } }),
      /must run at least once: from 5 to 1/,
    ],
    ["with an empty collection", loop({ collection: [] }), /"iterator\.collection" must not be empty/],
    [
      "with two iterators",
      loop({ range: { end: 2 }, collection: [1] }),
      /must have one of range and collection/,
    ],
    [
      "with a cap of 0",
      loop({ while_condition: "true", max_iterations: 0 }),
      /max_iterations" must be at least 1: 0/,
    ],
    [
      "with an empty body",
      { name: "w", type: "loop", iterator: { range: {} }, body: [] },
      /"body" must have at least one step/,
    ],
  ];
  for (const [what, table, message] of cases) {
    test(what, async () => {
      const error = await failure(() => readDefinition(table));
      expect(error.code).toBe("invalid_argument");
      if (typeof message === "string") expect(error.message).toBe(message);
      else expect(error.message).toMatch(message);
    });
  }
});

describe("a definition", () => {
  test("has the defaults of the specification", () => {
    const definition = readDefinition(sequential([STEP]));
    expect(definition).toMatchObject({ errorStrategy: "fail_fast", timeoutMs: undefined, durable: false });
    expect(definition.type === "sequential" && definition.steps[0]).toMatchObject({
      timeoutMs: 30_000,
      retry: { count: 0, delayMs: 1000, exponential: false },
    });
    expect(readDefinition({ name: "w", type: "parallel", steps: [STEP] })).toMatchObject({
      maxConcurrency: 4,
      failFast: true,
    });
    expect(readDefinition(loop({}))).toMatchObject({
      iterator: { type: "range", start: 1, end: 10, step: 1 },
    });
  });

  test("takes other words for the error strategy as fail_fast, and `retry` as three attempts", () => {
    expect(readDefinition(sequential([STEP], { error_strategy: "whatever" })).errorStrategy).toBe(
      "fail_fast",
    );
    const retry = readDefinition(sequential([STEP], { error_strategy: "retry" }));
    expect(retry.type === "sequential" && retry.steps[0]!.retry.count).toBe(2);
  });

  test("has a name of its own where none is given", () => {
    expect(readDefinition({ type: "sequential", steps: [STEP] }).name).toMatch(/^workflow_[0-9a-f]{8}$/);
  });

  test("takes the forms that manuals show", () => {
    const definition = readDefinition({
      name: "w",
      type: "sequential",
      steps: [
        { id: "a", action: { type: "tool", tool: "x", parameters: { k: 1 } } },
        { name: "b", agent: "ada", prompt: "hi" },
        { name: "c", tool: "x" },
      ],
    });
    expect(definition.type === "sequential" && definition.steps).toMatchObject([
      { name: "a", type: "tool", tool: "x", input: { k: 1 } },
      { name: "b", type: "agent", agent: "ada", input: "hi" },
      { name: "c", type: "tool" },
    ]);
  });

  test("takes {} as an empty input and list", () => {
    expect(readDefinition(sequential([step("a", [] as never)]))).toMatchObject({ steps: [{ input: {} }] });
  });
});

describe("workflows within workflows", () => {
  test("that name each other are refused before anything is done", async () => {
    const { workflows, run } = bench();
    workflows.create(sequential([{ name: "x", type: "workflow", workflow: "b" }], { name: "a" }));
    const error = await failure(() =>
      run(sequential([{ name: "y", type: "workflow", workflow: "a" }], { name: "b" })),
    );
    expect(error.message).toBe('Cannot run workflow "b": it is a step of itself: b → a → b');
  });

  test("may be written out in place", async () => {
    const { run } = bench();
    const inner = sequential([{ name: "x", tool: "calculator", input: { input: "{{k}}+1" } }], {
      name: "in",
    });
    const result = await run(
      sequential([{ name: "y", type: "workflow", workflow: inner, input: { k: 41 } }]),
    );
    expect(result.output).toBe(42);
  });

  test("must be built", async () => {
    const builder = new Handle("AgentObject", {});
    const error = await failure(() =>
      readDefinition(sequential([{ name: "y", type: "workflow", workflow: builder }])),
    );
    expect(error.message).toMatch(/of step "y" must be a workflow/);
  });
});
