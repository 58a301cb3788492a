/** Sequential runs: order, failures, repetitions (spec/agents-workflows-rag.md sections 4.2 and 4.3). */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { bad, bench, names, noting, sequential, step, withNotes } from "../support.ts";

describe("a sequential workflow", () => {
  test("runs its steps in order, each with what those before it gave", async () => {
    const { run, calls } = withNotes();
    const result = await run(
      sequential([step("a", { n: 1, give: "x" }), step("b", { n: 2, was: "{{step.a.output}}-{{input.k}}" })]),
      { k: "in" },
    );
    expect(calls.map(([, input]) => input)).toEqual([
      { n: 1, give: "x" },
      { n: 2, was: "x-in" },
    ]);
    expect(result).toMatchObject({ success: true, status: "completed", output: { n: 2, was: "x-in" } });
    expect(result.counts).toEqual({
      total_steps: 2,
      successful_steps: 2,
      failed_steps: 0,
      success_rate: 100,
    });
    expect(result.text).toMatch(/^Sequential workflow 'w' completed successfully\. 2 of 2 steps, \d+ ms$/);
  });

  test("stops at the first failure and raises it with what it is", async () => {
    const { run, calls } = withNotes();
    const error = await failure(() => run(sequential([step("a"), bad("b"), step("c")])));
    expect(error.message).toMatch(/^Workflow execution error: step "b" failed: .*boom/);
    expect(error.data).toMatchObject({ workflow: "w", step: "b", variant: "StepExecutionFailed" });
    expect(calls.length).toBe(2);
  });

  test("with `continue` notes failures and goes on", async () => {
    const { run, calls } = withNotes();
    const result = await run(sequential([bad("a"), step("b", { n: "b" })], { error_strategy: "continue" }));
    expect(names(calls)).toEqual(["a", "b"]);
    expect(result).toMatchObject({ success: false, status: "partially_completed" });
    expect(result.error?.message).toMatch(/boom/);
    expect(result.counts).toMatchObject({ successful_steps: 1, failed_steps: 1, success_rate: 50 });
    const all = await run(sequential([bad("a")], { error_strategy: "continue" }));
    expect(all).toMatchObject({ success: false, status: "failed" });
  });

  test("goes on after a step that says so itself", async () => {
    const { run } = withNotes();
    for (const more of [{ continue_on_error: true }, { on_error: "skip" }])
      expect(await run(sequential([bad("a", more), step("b")]))).toMatchObject({
        status: "partially_completed",
      });
  });

  test("passes over a step whose condition does not hold", async () => {
    const { run, calls } = withNotes();
    const result = await run(
      sequential([
        step("a", { n: 1 }, { condition: "input.go == true" }),
        step("b", { n: 2 }, { condition: "true" }),
      ]),
      { go: false },
    );
    expect(names(calls)).toEqual([2]);
    expect(result.steps.map(({ status }) => status)).toEqual(["skipped", "completed"]);
  });

  test("raises for tools, agents and workflows that are not there, naming them", async () => {
    const { run, agents } = withNotes();
    await agents.create({ name: "ada", type: "basic" });
    const ask = async (one: object) =>
      (await failure(() => run(sequential([{ name: "s", ...one }])))).message;
    expect(await ask({ type: "tool", tool: "calculater" })).toMatch(
      /step "s" failed: Tool 'calculater' not found/,
    );
    expect(await ask({ type: "agent", agent: "adda", input: "x" })).toMatch(
      /step "s" failed: no such agent: adda/,
    );
    expect(await ask({ type: "workflow", workflow: "none" })).toMatch(
      /step "s" failed: no such workflow: none/,
    );
    expect(await ask({ type: "agent", agent: "ada", input: "" })).toMatch(/must not be empty/);
  });
});

describe("a failed step is repeated", () => {
  const flaky = (fails: number) => {
    const times: number[] = [];
    const tool = noting([], "flaky");
    return {
      times,
      tool: {
        ...tool,
        execute: async () => {
          times.push(performance.now());
          if (times.length <= fails) throw new Error(`not yet ${times.length}`);
          return { operation: "run", result: "done" };
        },
      },
    };
  };
  const once = (more: object) => ({ name: "s", type: "tool", tool: "flaky", ...more });

  test("as often as retry_count says, with the pause it names", async () => {
    const { tool, times } = flaky(2);
    const { run } = bench({ tools: [tool] });
    const result = await run(sequential([once({ retry_count: 2, retry_delay_ms: 30 })]));
    expect(result.steps[0]).toMatchObject({ status: "completed", retryCount: 2, value: "done" });
    expect(times.slice(1).map((at, i) => at - times[i]! >= 29)).toEqual([true, true]);
  });

  test("with pauses that double where the step says so", async () => {
    const { tool, times } = flaky(3);
    const { run } = bench({ tools: [tool] });
    await run(sequential([once({ retry_count: 3, retry_delay_ms: 20, backoff: "exponential" })]));
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    expect(gaps.map((gap, i) => gap >= 20 * 2 ** i - 1)).toEqual([true, true, true]);
  });

  test("three times in all under the strategy `retry`, and then fails", async () => {
    const { tool, times } = flaky(9);
    const { run } = bench({ tools: [tool] });
    const error = await failure(() =>
      run(sequential([once({})], { error_strategy: "retry", retry_delay_ms: 1 })),
    );
    expect([times.length, error.message.includes("not yet 3")]).toEqual([3, true]);
  });
});
