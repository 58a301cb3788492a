/** Runs that take too long, and runs that are cancelled. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { testRun } from "../../agents/support.ts";
import { bench, noting, sequential, step, withNotes } from "../support.ts";

describe("a limit of time", () => {
  test("ends a step", async () => {
    const { run } = withNotes();
    const error = await failure(() => run(sequential([step("a", { wait: 20_000 }, { timeout_ms: 20 })])));
    expect([error.code, error.message, error.data.variant]).toEqual([
      "timeout",
      'Workflow execution error: step "a" failed: step "a" timed out: timeout_ms is 20',
      "Timeout",
    ]);
  });

  test("ends a whole run, and what it waits for", async () => {
    let ended: unknown;
    const tool = noting([]);
    const slow = {
      ...tool,
      execute: (_: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => {
            ended = signal.reason;
            reject(signal.reason);
          });
        }),
    };
    const { run } = bench({ tools: [slow] });
    const error = await failure(() => run(sequential([step("a")], { timeout_ms: 20 })));
    expect(error.message).toBe('Workflow execution error: workflow "w" timed out: timeout_ms is 20');
    expect(String(ended)).toMatch(/timed out/);
  });
});

describe("a step that is at work when its time is up", () => {
  test.each([
    [
      "of its branch",
      {
        name: "w",
        type: "parallel",
        fail_fast: false,
        branches: [
          { name: "slow", optional: true, timeout_ms: 20, steps: [step("a", { wait: 20_000 })] },
          { name: "sure", steps: [step("b", { wait: 60 })] },
        ],
      },
      ["step_started a", "step_started b", "step_failed a", "step_completed b", "workflow_completed"],
      'branch "slow" timed out: timeout_ms is 20',
    ],
    [
      "of the run",
      sequential([step("a", { wait: 20_000 })], { timeout_ms: 20 }),
      ["step_started a", "step_failed a", "workflow_failed"],
      'workflow "w" timed out: timeout_ms is 20',
    ],
    [
      "because another branch has failed",
      {
        name: "w",
        type: "parallel",
        steps: [step("b", { wait: 10, fail: "boom" }), step("a", { wait: 20_000 })],
      },
      ["step_started b", "step_started a", "step_failed b", "step_failed a", "workflow_failed"],
      'Branch "b" failed',
    ],
  ])("%s is told to have failed", async (_, table, told, reason) => {
    const { workflows } = withNotes();
    const workflow = workflows.create(table);
    const seen: string[] = [];
    const errors: unknown[] = [];
    workflow.on("progress", async ({ type, step: name, error }) => {
      seen.push([type, name].filter(Boolean).join(" "));
      if (name === "a") errors.push(error);
    });
    await workflow.execute({}, testRun()).catch(() => undefined);
    expect(seen.slice(1)).toEqual(told);
    expect(errors.at(-1)).toBe(reason);
  });
});

describe("cancelling", () => {
  test("reaches what is at work in nested workflows and branches", async () => {
    const { workflows, calls } = withNotes();
    const inner = {
      name: "in",
      type: "parallel",
      steps: [step("a", { wait: 20_000 }), step("b", { wait: 20_000 })],
    };
    const outer = workflows.create(
      sequential([{ name: "n", type: "workflow", workflow: inner }, step("after")]),
    );
    const run = testRun();
    const startMs = performance.now();
    const running = failure(() => outer.execute({}, run));
    while (calls.length < 2) await Bun.sleep(1);
    run.abort();
    expect((await running).code).toBe("interrupted");
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect([calls.length, outer.status]).toEqual([2, "cancelled"]);
  });
});
