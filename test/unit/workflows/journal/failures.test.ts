/** Failures in durable runs: which are tried again, and which stay. */
import { describe, expect, test } from "bun:test";
import type { ToolDefinition } from "../../../../src/tools/tool.ts";
import { failure } from "../../../support/model-service.ts";
import { type Calls, names, noting, sequential, step } from "../support.ts";
import { JournalPlace, repeatable } from "./support.ts";

const here = JournalPlace.forEachTest();

describe("a failure", () => {
  test("that ended the run is tried again when it goes on, one that was passed over is not", async () => {
    const calls: Calls = [];
    let broken = true;
    const tool = noting(calls);
    const sometimes = {
      ...tool,
      execute: async (params: { n?: unknown }, context: never) => {
        const result = await tool.execute(params as never, context);
        if (broken && params.n !== "a") throw new Error("broken");
        return result;
      },
    } as ToolDefinition;
    const table = sequential([
      step("a", { n: "a" }),
      step("b", { n: "b" }, { continue_on_error: true }),
      step("c", { n: "c" }),
    ]);
    const one = await here.processOf([sometimes]);
    await failure(() => one.run(table, {}, { runId: "r" }));
    expect((await one.workflows.journal()).show("r").run.status).toBe("failed");
    broken = false;
    const result = await one.run(table, {}, { runId: "r" });
    expect(names(calls)).toEqual(["a", "b", "c", "c"]);
    expect(result.steps.map(({ status }) => status)).toEqual(["completed", "failed", "completed"]);
  });

  test("by time of a step that is not repeatable leaves it open: nobody knows whether it was done", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", wait: 20_000 }, { timeout_ms: 20 })]);
    const one = await here.processOf([noting(calls)]);
    await failure(() => one.run(table, {}, { runId: "r" }));
    expect((await failure(() => one.run(table, {}, { runId: "r" }))).data.variant).toBe("Interrupted");
    expect(calls.length).toBe(1);
  });
});

describe("a workflow within a durable run that passed a failure over, so that its step failed", () => {
  /** Fails the first `times` times, and says which time it is. */
  function flaky(calls: Calls, times: number): ToolDefinition {
    const tool = noting(calls);
    let tried = 0;
    const execute = async (params: { n?: unknown }, context: never) => {
      await tool.execute(params as never, context);
      if (params.n === "bad" && ++tried <= times) throw new Error("not yet");
      return { operation: "run", result: `${params.n}${params.n === "bad" ? tried : ""}` };
    };
    return { ...tool, execute } as ToolDefinition;
  }
  const inner = {
    name: "inner",
    type: "conditional",
    error_strategy: "continue",
    steps: [step("first", { n: "first" }), step("bad", { n: "bad" })],
    branches: [
      {
        name: "mended",
        condition: { type: "step_succeeded", step: "bad" },
        steps: [step("go", { n: "go" })],
      },
    ],
    default_branch: { steps: [step("give-up", { n: "give-up" })] },
  };
  const outer = (more: object) =>
    sequential([{ name: "in", type: "workflow", workflow: inner, ...more }, step("last", { n: "last" })]);

  test("is repeated with that step, and chooses anew; what was done is not done again", async () => {
    const calls: Calls = [];
    const { run } = await here.processOf([flaky(calls, 1)]);
    const result = await run(outer({ retry_count: 1, retry_delay_ms: 1 }), {}, { runId: "r" });
    expect(names(calls)).toEqual(["first", "bad", "give-up", "bad", "go", "last"]);
    expect(result).toMatchObject({
      success: true,
      steps: [{ value: "go", retryCount: 1 }, { value: "last" }],
    });
  });

  test("is tried again when the run that it ended goes on", async () => {
    const calls: Calls = [];
    const tool = flaky(calls, 1);
    const error = await failure(async () =>
      (await here.processOf([tool])).run(outer({}), {}, { runId: "r" }),
    );
    expect(error.message).toContain('workflow "inner" completed in part');
    const result = await (await here.processOf([tool])).run(outer({}), {}, { runId: "r" });
    expect(names(calls)).toEqual(["first", "bad", "give-up", "bad", "go", "last"]);
    expect(result).toMatchObject({ success: true, restoredSteps: 1 });
  });

  test("stays failed where its step's failure was passed over too", async () => {
    const calls: Calls = [];
    const { run } = await here.processOf([flaky(calls, 1)]);
    for (let i = 0; i < 2; i++)
      expect(await run(outer({ continue_on_error: true }), {}, { runId: "r" })).toMatchObject({
        status: "partially_completed",
      });
    expect(names(calls)).toEqual(["first", "bad", "give-up", "last"]);
  });
});

describe("a failure that ends a pass or a branch, and not the run, stays as it was", () => {
  const failing = (n: string) => step("bad", { n, fail: "broken" });
  const cases: [what: string, table: Record<string, unknown>, all: string[], at: string][] = [
    [
      "in a loop that goes on",
      {
        name: "w",
        type: "loop",
        collection: ["x", "y", "z"],
        continue_on_error: true,
        body: [
          repeatable("a", { n: "a{{loop_index}}" }),
          { ...failing("bad{{loop_index}}"), condition: "$loop_index == 1" },
          step("after", { n: "after{{loop_index}}" }),
        ],
      },
      ["a0", "after0", "a1", "bad1", "a2", "after2"],
      "a2",
    ],
    [
      "in an optional branch",
      {
        name: "w",
        type: "parallel",
        max_concurrency: 1,
        branches: [
          { name: "maybe", optional: true, steps: [failing("bad"), step("never", { n: "never" })] },
          { name: "sure", steps: [repeatable("b", { n: "b" }), step("c", { n: "c" })] },
        ],
      },
      ["bad", "b", "c"],
      "b",
    ],
  ];
  for (const [what, table, all, at] of cases)
    test(what, async () => {
      const calls: Calls = [];
      await here.killedAt(at, table, calls);
      const { run } = await here.processOf([noting(calls)]);
      const first = await run(table, {}, { runId: "r" });
      const index = all.indexOf(at);
      expect(names(calls)).toEqual([...all.slice(0, index + 1), ...all.slice(index)]);
      const done = calls.length;
      const again = await run(table, {}, { runId: "r" });
      expect(calls.length).toBe(done);
      const { success, status, output, counts } = first;
      expect(again).toMatchObject({ success, status, output, counts });
    });
});
