/** Runs of every type: order, failures, repetitions, limits, results (spec/agents-workflows-rag.md sections 4.3 to 4.7). */
import { describe, expect, test } from "bun:test";
import { failure } from "../../support/model-service.ts";
import { testRun } from "../agents/support.ts";
import { bench, type Calls, noting, step, TestFunction } from "./support.ts";

const names = (calls: Calls) => calls.map(([, input]) => (input as { n?: unknown }).n);
const sequential = (steps: unknown, more: object = {}) => ({ name: "w", type: "sequential", steps, ...more });
const bad = (name: string, more: Record<string, unknown> = {}) => step(name, { n: name, fail: "boom" }, more);

function withNotes() {
  const calls: Calls = [];
  return { calls, ...bench({ tools: [noting(calls)] }) };
}

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

describe("a conditional workflow", () => {
  const table = (more: object) => ({
    name: "c",
    type: "conditional",
    steps: [step("classify", { n: 0, give: "{{input.word}}" })],
    condition: "step:classify:yes",
    then_steps: [step("then", { n: "then" })],
    branches: [{ condition: "step.classify.output contains 'may'", steps: [step("maybe", { n: "maybe" })] }],
    else_steps: [step("else", { n: "else" })],
    ...more,
  });

  for (const [word, ran, matched] of [
    ["yes", "then", 1],
    ["maybe", "maybe", 1],
    ["no", "else", 0],
  ] as const)
    test(`runs the steps before, then the first branch that holds: ${word}`, async () => {
      const { run, calls } = withNotes();
      const result = await run(table({}), { word });
      expect(names(calls)).toEqual([0, ran]);
      expect(result.counts).toMatchObject({
        total_branches: 3,
        matched_branches: matched,
        executed_branches: 1,
        total_steps: 2,
      });
    });

  test("may run every branch that holds", async () => {
    const { run, calls } = withNotes();
    await run(table({ condition: { type: "always" }, execute_all_matching: true }), { word: "maybe" });
    expect(names(calls)).toEqual([0, "then", "maybe"]);
  });

  test("runs nothing where nothing holds and there is no default", async () => {
    const { run, calls } = withNotes();
    const result = await run({ name: "c", type: "conditional", condition: "false", then_steps: [step("a")] });
    expect([calls.length, result.success, result.counts.executed_branches]).toEqual([0, true, 0]);
  });

  test("fails as a whole where its condition does", async () => {
    const { run } = withNotes();
    const condition = new TestFunction(() => {
      throw new Error("no idea");
    });
    const error = await failure(() =>
      run({ name: "c", type: "conditional", condition, then_steps: [step("a")] }),
    );
    expect(error.message).toMatch(
      /^Workflow execution error: the condition of branch "then" failed: .*no idea/,
    );
    expect(error.data.variant).toBe("ConditionFailed");
  });
});

describe("a loop", () => {
  const loop = (
    more: object,
    body: unknown[] = [step("s", { n: "{{loop_value}}", give: "{{loop_value}}" })],
  ) => ({
    name: "l",
    type: "loop",
    body,
    ...more,
  });

  test("goes over a range without its end, up and down", async () => {
    const { run } = withNotes();
    expect((await run(loop({ range: { start: 0, end: 3 } }))).output).toEqual([0, 1, 2]);
    expect((await run(loop({ range: { start: 5, end: 0, step: -2 } }))).output).toEqual([5, 3, 1]);
    const result = await run(loop({ range: { start: 0, end: 10, step: 3 } }));
    expect(result.counts).toMatchObject({
      iterator_type: "range",
      range_start: 0,
      range_end: 10,
      range_step: 3,
      total_iterations: 4,
    });
  });

  test("goes over a collection of anything", async () => {
    const { run } = withNotes();
    const result = await run(loop({ collection: ["a", { id: 1 }, [2]] }));
    expect(result.output).toEqual(["a", { id: 1 }, [2]]);
    expect(result.counts).toMatchObject({
      iterator_type: "collection",
      collection_size: 3,
      break_reason: null,
    });
  });

  test("goes on while a condition holds, counting passes that have begun", async () => {
    const { run, calls } = withNotes();
    const result = await run(
      loop({ while_condition: "$iteration < 3" }, [step("s", { n: "{{iteration}}/{{loop_index}}" })]),
    );
    expect(names(calls)).toEqual(["1/0", "2/1", "3/2"]);
    expect(result.counts).toMatchObject({ condition: "$iteration < 3", break_reason: "condition_false" });
  });

  test("that would never end ends at its cap", async () => {
    const { run } = withNotes();
    const counts = async (more: object) => (await run(loop({ while_condition: "true", ...more }))).counts;
    expect(await counts({ max_iterations: 5 })).toMatchObject({
      total_iterations: 5,
      break_reason: "max_iterations",
    });
    expect(await counts({})).toMatchObject({ total_iterations: 1000, break_reason: "max_iterations" });
  });

  test("that would never end ends at the workflow's time, though no step ever waits", async () => {
    const { run } = bench();
    const body = [{ name: "s", type: "tool", tool: "calculator", input: { input: "1+1" } }];
    const table = loop({ while_condition: "true", max_iterations: 1e9, timeout_ms: 100 }, body);
    const error = await failure(() => run(table));
    expect(error.message).toBe('Workflow execution error: workflow "l" timed out: timeout_ms is 100');
  });

  test("ends where a break condition holds, and where its own function says no", async () => {
    const { run } = withNotes();
    const broken = await run(loop({ collection: [1, 2, 3, 4], break_conditions: ["$loop_value == 2"] }));
    expect([broken.output, broken.counts.break_reason]).toEqual([[1, 2], "break_condition"]);
    const stopped = await run(
      loop({
        collection: [1, 2, 3, 4],
        loop_condition: new TestFunction(({ iteration }) => (iteration as number) < 3),
      }),
    );
    expect([stopped.output, stopped.counts.break_reason]).toEqual([[1, 2, 3], "loop_condition"]);
  });

  test("carries what a step gave into the next pass", async () => {
    const { run } = bench();
    const body = [
      { name: "sum", type: "tool", tool: "calculator", input: { input: "{{loop_value}} + {{acc}}" } },
    ];
    const table = loop({ collection: [1, 2, 3] }, [
      ...body.map((one) => ({ ...one, input: { input: "{{loop_value}}*10" } })),
    ]);
    expect((await run(table)).output).toEqual([10, 20, 30]);
  });

  test("goes on after a pass that fails where it may", async () => {
    const { run } = withNotes();
    const body = [
      step("s", { n: "{{loop_value}}", give: "{{loop_value}}" }),
      step("t", { fail: "x" }, { condition: "$loop_value == 2" }),
    ];
    expect((await failure(() => run(loop({ collection: [1, 2, 3] }, body)))).message).toMatch(
      /step "t" failed/,
    );
    const result = await run(loop({ collection: [1, 2, 3], continue_on_error: true }, body));
    expect(result).toMatchObject({ success: false, status: "partially_completed" });
    expect(result.counts).toMatchObject({
      total_iterations: 3,
      completed_iterations: 2,
      continue_on_error: true,
    });
  });

  for (const [aggregation, output] of [
    ["collect_all", [1, 2, 3]],
    ["last_only", 3],
    ["first_n", [1, 2]],
    ["last_n", [2, 3]],
    ["none", null],
  ] as const)
    test(`gives ${aggregation}`, async () => {
      const { run } = withNotes();
      const result = await run(loop({ collection: [1, 2, 3], aggregation, aggregation_count: 2 }));
      expect(result.output).toEqual(output);
    });
});

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

describe("shared data", () => {
  test("are the workflow's own, seen by those within it and by nobody else", async () => {
    const { workflows, run } = withNotes();
    const inner = workflows.create(
      sequential([step("x", { give: "{{sky}} {{shared.parent:sky}} {{own}}" })], { name: "in" }),
    );
    inner.setShared("own", "mine");
    const outer = workflows.create(
      sequential([{ name: "n", type: "workflow", workflow: "in" }, step("y", { give: "{{own}} {{n}}" })], {
        name: "out",
      }),
    );
    outer.setShared("sky", "blue");
    const result = await outer.execute({}, testRun());
    expect(result.output).toBe("{{own}} blue blue mine");
    expect((await run(sequential([step("z", { give: "{{sky}}" })]))).output).toBe("{{sky}}");
  });
});

describe("agents of a run", () => {
  test("are told by name, the last text of each, through nested workflows and all types", async () => {
    const { run, agents } = bench();
    for (const name of ["ada", "bob"]) await agents.create({ name, type: "basic" });
    const ask = (name: string, agent: string, input: string) => ({ name, type: "agent", agent, input });
    const inner = { name: "in", type: "parallel", steps: [ask("p", "bob", "from {{input.k}}")] };
    const result = await run(
      sequential([
        ask("one", "ada", "first"),
        { name: "two", type: "workflow", workflow: inner, input: { k: "{{one}}" } },
        ask("three", "ada", "last {{two}}"),
      ]),
    );
    expect([...result.agents]).toEqual([
      ["bob", "from first"],
      ["ada", 'last {"p":"from first"}'],
    ]);
  });
});

describe("what a script may have called", () => {
  test("is called before, after, for failures and for progress, in order", async () => {
    const { workflows } = withNotes();
    const workflow = workflows.create(sequential([step("a", { n: 1 }), bad("b")]));
    const seen: string[] = [];
    workflow.on("before", async (input) => seen.push(`before ${JSON.stringify(input)}`));
    workflow.on("after", async () => seen.push("after"));
    workflow.on("error", async (message) => seen.push(message.slice(0, 15)));
    workflow.on("progress", async (p) => seen.push([p.type, p.step].filter(Boolean).join(" ")));
    workflows.setErrorHandler(async () => seen.push("handler"));
    await failure(() => workflow.execute({ k: 1 }, testRun()));
    expect(seen).toEqual([
      'before {"k":1}',
      "workflow_started",
      "step_started a",
      "step_completed a",
      "step_started b",
      "step_failed b",
      "workflow_failed",
      'step "b" failed',
      "handler",
    ]);
  });

  test("refuses a run where it raises before it, and changes nothing where it raises after", async () => {
    const { workflows, calls } = withNotes();
    const workflow = workflows.create(sequential([step("a")]));
    workflow.on("after", async () => {
      throw new Error("after");
    });
    expect((await workflow.execute({}, testRun())).success).toBe(true);
    workflow.on("before", async () => {
      throw new Error("not today");
    });
    expect(workflow.execute({}, testRun())).rejects.toThrow("not today");
    expect([calls.length, workflow.metrics.total, workflow.metrics.failed]).toEqual([1, 2, 1]);
  });
});

describe("what the last run left", () => {
  test("is asked for by step, and before a run refused", async () => {
    const { workflows } = withNotes();
    const workflow = workflows.create(sequential([step("a", { give: 1 }), step("b", { give: 2 })]));
    expect(() => workflow.outputs()).toThrow("No workflow execution found. Run execute() first.");
    await workflow.execute({}, testRun());
    expect([...workflow.outputs()]).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    expect([workflow.clearOutputs(), workflow.outputs().size, workflow.status]).toEqual([2, 0, "completed"]);
  });
});
