/** Branches side by side: overlap, failures, what comes out of them. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { bad, bench, noting, sequential, step, withNotes } from "../support.ts";

describe("a parallel workflow", () => {
  const branches = (count: number, input: Record<string, unknown> = { wait: 30 }) =>
    Array.from({ length: count }, (_, i) => step(`s${i}`, { n: i, ...input }));

  test("overlaps its branches, at most max_concurrency at a time", async () => {
    let now = 0;
    let most = 0;
    const tool = noting([]);
    const counted = {
      ...tool,
      execute: async () => {
        most = Math.max(most, ++now);
        await Bun.sleep(5);
        now--;
        return { operation: "run", result: 1 };
      },
    };
    for (const [given, expected] of [
      [undefined, 4],
      [2, 2],
      [50, 12],
    ] as const) {
      most = 0;
      const { run } = bench({ tools: [counted] });
      const result = await run({
        name: "p",
        type: "parallel",
        steps: branches(12),
        ...(given ? { max_concurrency: given } : {}),
      });
      expect(most).toBe(expected);
      expect(result.counts).toMatchObject({
        total_branches: 12,
        successful_branches: 12,
        failed_branches: 0,
        stopped_early: false,
      });
    }
  });

  test("hides its branches from each other", async () => {
    const { run } = withNotes();
    const table = {
      name: "p",
      type: "parallel",
      max_concurrency: 1,
      steps: [step("a", { give: 1 }), step("b", { give: "{{a}}" })],
    };
    expect((await run(table)).output).toEqual({ a: 1, b: "{{a}}" });
    const outer = sequential([
      { name: "both", type: "workflow", workflow: table },
      step("c", { give: "{{both}}" }),
    ]);
    expect((await run(outer)).output).toEqual({ a: 1, b: "{{a}}" });
  });

  test("ends the other branches at the first failure", async () => {
    const { run } = withNotes();
    const startMs = performance.now();
    const error = await failure(() =>
      run({ name: "p", type: "parallel", steps: [bad("a"), step("b", { wait: 20_000 })] }),
    );
    expect(error.message).toMatch(/step "a" failed/);
    expect(performance.now() - startMs).toBeLessThan(5000);
  });

  test("with fail_fast = false lets the others end, and then fails", async () => {
    const { run, calls } = withNotes();
    const table = {
      name: "p",
      type: "parallel",
      fail_fast: false,
      steps: [bad("a"), ...branches(3, { wait: 5 })],
    };
    const error = await failure(() => run(table));
    expect([error.data.step, calls.length]).toEqual(["a", 4]);
  });

  test("does not mind an optional branch", async () => {
    const { run } = withNotes();
    const optional = { name: "o", optional: true, steps: [bad("a")] };
    const result = await run({
      name: "p",
      type: "parallel",
      branches: [optional],
      steps: [step("b", { give: 1 })],
    });
    expect(result).toMatchObject({ success: true, output: { b: 1 } });
    expect(result.counts).toMatchObject({ successful_branches: 1, failed_branches: 1 });
  });

  test("ends a branch at its own time", async () => {
    const { run } = withNotes();
    const slow = { name: "slow", timeout_ms: 20, steps: [step("a", { wait: 20_000 })] };
    const error = await failure(() => run({ name: "p", type: "parallel", branches: [slow] }));
    expect([error.code, error.message]).toEqual([
      "timeout",
      'Workflow execution error: branch "slow" timed out: timeout_ms is 20',
    ]);
  });

  for (const [merge, output] of [
    ["map", { a: 1, b: "two" }],
    ["array", [1, "two"]],
    ["concat", "1\ntwo"],
    ["first", 1],
  ] as const)
    test(`gives its outputs as ${merge}`, async () => {
      const { run } = withNotes();
      const steps = [step("a", { give: 1, wait: 10 }), step("b", { give: "two" })];
      expect((await run({ name: "p", type: "parallel", steps, merge_strategy: merge })).output).toEqual(
        output,
      );
    });
});
