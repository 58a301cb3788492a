/** Events and hook points of workflows: spec/kernel.md sections 17.1 and 18.5. */
import { describe, expect, test } from "bun:test";
import { meterWith } from "../../../src/core/span.ts";
import type { HookFunction } from "../../../src/hooks/service.ts";
import { failure } from "../../support/model-service.ts";
import { testBus } from "../events/support.ts";
import { testHooks } from "../hooks/support.ts";
import { bench, type Calls, noting, step } from "./support.ts";

const sequential = (steps: unknown, more: object = {}) => ({ name: "w", type: "sequential", steps, ...more });

async function hooked(...registered: [point: string, run: HookFunction][]) {
  const { hooks, add } = await testHooks();
  for (const [point, run] of registered) await add(run, { points: [point] });
  const calls: Calls = [];
  return { calls, ...bench({ tools: [noting(calls)], hooks }) };
}

describe("events", () => {
  test("tell a run from its start to its end, with the fields of the specification", async () => {
    const { bus } = testBus();
    const seen: [type: string, data: Record<string, unknown>][] = [];
    using _ = bus.listen(
      "workflow.*",
      ({ type, data }) => void seen.push([type, data as Record<string, unknown>]),
    );
    const { run } = bench({ tools: [noting([])], events: bus });
    await run(
      sequential([
        step("a", { give: "four" }),
        step("b", { fail: "x" }, { continue_on_error: true, retry_count: 1, retry_delay_ms: 1 }),
      ]),
    );
    expect(seen.map(([type]) => type)).toEqual([
      "workflow.started",
      "workflow.step.started",
      "workflow.step.completed",
      "workflow.step.started",
      "workflow.step.started",
      "workflow.step.failed",
      "workflow.completed",
    ]);
    expect(seen[1]![1]).toMatchObject({ step_name: "a", step_type: "tool", step_index: 0, retry_attempt: 0 });
    expect(seen[1]![1].workflow_id).toMatch(/^workflow_/);
    expect(seen[2]![1]).toMatchObject({ step_name: "a", output_size: 4, duration_ms: expect.any(Number) });
    expect(seen[5]![1]).toMatchObject({
      step_name: "b",
      retry_attempt: 1,
      error: expect.stringContaining("x"),
    });
    await run(sequential([step("c", { fail: "x" })])).catch(() => undefined);
    expect(seen.at(-1)).toMatchObject(["workflow.failed", { error: expect.stringContaining("x") }]);
  });
});

describe("spans", () => {
  test("are of the workflow, its steps, and what these do", async () => {
    const seen: string[] = [];
    using _ = meterWith(({ category, name }, attributes, _ms, error) => {
      const run = attributes["llmspell.workflow.name"] ?? "";
      seen.push([category, name, run, error].filter(Boolean).join(" "));
    });
    const { run } = bench({ tools: [noting([])] });
    await run(sequential([step("a"), step("b", { fail: "x" })])).catch(() => undefined);
    expect(seen).toEqual([
      "tool execute_tool note",
      "workflow workflow_step a w",
      "tool execute_tool note Error",
      "workflow workflow_step b w internal",
      "workflow execute_workflow w w internal",
    ]);
  });
});

describe("hooks", () => {
  test("run at every point with its data", async () => {
    const seen: [string, Record<string, unknown>][] = [];
    const note: HookFunction = ({ point, data }) => {
      seen.push([point, data]);
      return undefined;
    };
    const points = [
      "BeforeWorkflowStart",
      "WorkflowStageTransition",
      "BeforeWorkflowStage",
      "AfterWorkflowStage",
      "AfterWorkflowComplete",
      "WorkflowError",
    ];
    const { run } = await hooked(...points.map((point) => [point, note] as [string, HookFunction]));
    await run(sequential([step("a", { give: 1 }), step("b", { give: 2 })]), { k: "v" });
    expect(seen.map(([point]) => point)).toEqual([
      "BeforeWorkflowStart",
      "WorkflowStageTransition",
      "BeforeWorkflowStage",
      "AfterWorkflowStage",
      "WorkflowStageTransition",
      "BeforeWorkflowStage",
      "AfterWorkflowStage",
      "AfterWorkflowComplete",
    ]);
    expect(seen[0]![1]).toMatchObject({
      workflow_type: "sequential",
      workflow_state: "running",
      name: "w",
      input: { k: "v" },
    });
    expect(seen[2]![1]).toMatchObject({
      step_name: "a",
      step_index: 0,
      step_type: "tool",
      input: { give: 1 },
    });
    expect(seen[3]![1]).toMatchObject({ result: 1 });
    expect(seen[4]![1]).toMatchObject({ from: "a", to: "b" });
    expect(seen[7]![1]).toMatchObject({ output: 2, duration_ms: expect.any(Number) });
    await run(sequential([step("c", { fail: "x" })])).catch(() => undefined);
    expect(seen.filter(([point]) => point === "WorkflowError").length).toBe(2); // of the step and of the workflow
  });

  test("run at the points of branches, loops and conditions", async () => {
    const seen: string[] = [];
    const note: HookFunction = ({ point }) => void seen.push(point.replace("custom:", "")) as undefined;
    const names = [
      "parallel_fork",
      "parallel_synchronization",
      "parallel_join",
      "condition_evaluation",
      "branch_selection",
      "loop_iteration_start",
      "loop_iteration_complete",
      "loop_termination",
    ];
    const { run } = await hooked(...names.map((name) => [name, note] as [string, HookFunction]));
    await run({ name: "p", type: "parallel", steps: [step("a")] });
    await run({ name: "c", type: "conditional", condition: "input.x == nil", then_steps: [step("a")] });
    await run({ name: "l", type: "loop", collection: [1], body: [step("a")] });
    expect(seen).toEqual(names);
  });

  test("run when shared data are set, which they may change or refuse, and when a run begins and ends", async () => {
    const moves: string[] = [];
    const { workflows, run } = await hooked(
      ["workflow_state_change", ({ data }) => void moves.push(`${data.from} ${data.to}`) as undefined],
      [
        "workflow_shared_data",
        ({ data }) =>
          data.key === "secret"
            ? { type: "cancel", reason: "not here" }
            : { type: "modified", data: { value: `${data.value}!` } },
      ],
    );
    const workflow = workflows.create(sequential([step("a")]));
    await workflow.share("k", "v");
    expect(workflow.shared.get("k")).toBe("v!");
    expect((await failure(() => workflow.share("secret", 1))).code).toBe("permission_denied");
    await run(sequential([step("a")]));
    await failure(() => run(sequential([step("a", { fail: "x" })])));
    expect(moves).toEqual(["pending running", "running completed", "pending running", "running failed"]);
  });

  test("change a step's input, its result, or give the result themselves", async () => {
    const { run, calls } = await hooked(
      [
        "BeforeWorkflowStage",
        ({ data }) => {
          if (data.step_name === "a") return { type: "modified", data: { input: { n: 9, give: "x" } } };
          if (data.step_name === "b") return { type: "replace", data: "given" };
          if (data.step_name === "c") return { type: "skipped", reason: "no need" };
          return undefined;
        },
      ],
      [
        "AfterWorkflowStage",
        ({ data }) =>
          data.step_name === "a" ? { type: "modified", data: { result: "changed" } } : undefined,
      ],
    );
    const result = await run(sequential([step("a", { n: 1 }), step("b", { n: 2 }), step("c", { n: 3 })]));
    expect(calls).toEqual([["note", { n: 9, give: "x" }]]);
    expect(result.steps.map(({ name, status, value }) => [name, status, value])).toEqual([
      ["a", "completed", "changed"],
      ["b", "completed", "given"],
      ["c", "skipped", null],
    ]);
  });

  test("send a step to another tool, agent or workflow, with its input", async () => {
    const { run, calls, agents, workflows } = await hooked([
      "BeforeWorkflowStage",
      ({ data }) => {
        const targets: Record<string, string> = { a: "calculator", b: "agent:ada", c: "workflow:other" };
        const target = targets[String(data.step_name)];
        return target === undefined ? undefined : { type: "redirect", target };
      },
    ]);
    await agents.create({ name: "ada", type: "basic" });
    workflows.create(sequential([step("x", { give: "{{input.input}}?" })], { name: "other" }));
    const result = await run(
      sequential([step("a", { input: "6*7" }), step("b", { input: "hello" }), step("c", { input: "me" })]),
    );
    expect(result.steps.map(({ value }) => value)).toEqual([42, "hello", "me?"]);
    expect(calls).toEqual([["note", { give: "me?" }]]);
  });

  test("refuse a step", async () => {
    const { run, calls } = await hooked([
      "BeforeWorkflowStage",
      () => ({ type: "cancel", reason: "closed" }),
    ]);
    const error = await failure(() => run(sequential([step("a")])));
    expect([error.code, error.message, calls.length]).toEqual([
      "permission_denied",
      'Workflow execution error: step "a" failed: Cannot run workflow "w": a hook cancelled it: closed',
      0,
    ]);
  });

  test("refuse a run, a step's turn, and a selected branch", async () => {
    for (const [point, table] of [
      ["BeforeWorkflowStart", sequential([step("a")])],
      ["WorkflowStageTransition", sequential([step("a")])],
      ["branch_selection", { name: "w", type: "conditional", then_steps: [step("a")] }],
    ] as const) {
      const { run, calls } = await hooked([point, () => ({ type: "cancel", reason: "closed" })]);
      const error = await failure(() => run(table));
      expect([error.code, calls.length]).toEqual(["permission_denied", 0]);
      expect(error.message).toMatch(/a hook cancelled it: closed$/);
    }
  });

  test("repeat a step that failed, and a workflow", async () => {
    let asked = 0;
    const { run, calls } = await hooked([
      "WorkflowError",
      ({ data }) =>
        data.step_name === "a" && ++asked < 3 ? { type: "retry", delayMs: 1, maxAttempts: 3 } : undefined,
    ]);
    await failure(() => run(sequential([step("a", { fail: "x" })])));
    expect(calls.length).toBe(3);
  });

  test("answer for a workflow that failed", async () => {
    const { run } = await hooked([
      "WorkflowError",
      ({ data }) => (data.step_name === undefined ? { type: "replace", data: "plan B" } : undefined),
    ]);
    expect(await run(sequential([step("a", { fail: "x" })]))).toMatchObject({
      success: true,
      output: "plan B",
    });
  });
});
