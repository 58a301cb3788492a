/** Durable runs that go on: what is done again, what is not, and with what. */
import { describe, expect, test } from "bun:test";
import type { ToolDefinition } from "../../../../src/tools/tool.ts";
import { failure } from "../../../support/model-service.ts";
import { testRun } from "../../agents/support.ts";
import { testHooks } from "../../hooks/support.ts";
import { stateWith } from "../../state/support.ts";
import { type Calls, names, noting, sequential, step, TestFunction } from "../support.ts";
import { bury, JournalPlace, repeatable } from "./support.ts";

const here = JournalPlace.forEachTest();

describe("a durable run", () => {
  test("that was killed goes on where it stopped, and does nothing twice", async () => {
    const calls: Calls = [];
    const table = sequential([
      step("a", { n: "a", give: { deep: [1, "x"] } }),
      repeatable("b", { n: "b", was: "{{step.a.result.deep.2}}", give: "{{step.a.output}}" }),
      step("c", { n: "c", give: "{{b}}" }),
    ]);
    await here.killedAt("b", table, calls);
    const { run } = await here.processOf([noting(calls)]);
    const result = await run(table, {}, { runId: "r" });
    expect(names(calls)).toEqual(["a", "b", "b", "c"]);
    expect(calls[2]![1]).toEqual({ n: "b", was: "x", give: { deep: [1, "x"] } });
    expect(result).toMatchObject({ success: true, output: { deep: [1, "x"] }, restoredSteps: 1, runId: "r" });
  });

  test("of any type gives the same result as one that was not killed, wherever it is killed", async () => {
    const inner = sequential(
      [repeatable("x", { n: "x", give: "{{input.k}}!" }), repeatable("y", { n: "y", give: "{{x}}?" })],
      { name: "in" },
    );
    const flow = {
      name: "w",
      type: "conditional",
      steps: [
        repeatable("first", { n: "first", give: "go" }),
        {
          name: "many",
          type: "workflow",
          workflow: {
            name: "par",
            type: "parallel",
            max_concurrency: 1,
            steps: [repeatable("p", { n: "p", give: 1 }), repeatable("q", { n: "q", give: 2 })],
          },
        },
      ],
      condition: "step.first.output == 'go'",
      then_steps: [
        {
          name: "loop",
          type: "workflow",
          workflow: {
            name: "lo",
            type: "loop",
            collection: ["u", "v"],
            body: [repeatable("z", { n: "z{{loop_index}}", give: "{{loop_value}}{{first}}" })],
          },
        },
        { name: "nest", type: "workflow", workflow: inner, input: { k: "{{step.loop.output}}" } },
      ],
      else_steps: [repeatable("never", { n: "never" })],
    };
    const whole: Calls = [];
    const plain = await (await here.processOf([noting(whole)])).run(flow, {});
    const all = names(whole);
    expect(all).toEqual(["first", "p", "q", "z0", "z1", "x", "y"]);
    for (const at of all) {
      here.fresh();
      const calls: Calls = [];
      await here.killedAt(at, flow, calls);
      const result = await (await here.processOf([noting(calls)])).run(flow, {}, { runId: "r" });
      expect(result.output).toEqual(plain.output);
      expect(result.counts).toEqual(plain.counts);
      const index = all.indexOf(at);
      expect(names(calls)).toEqual([...all.slice(0, index + 1), ...all.slice(index)]);
    }
  });

  test("that has ended is told again, and nothing is done", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", give: 1 }), step("b", { n: "b", give: 2 })]);
    const { run } = await here.processOf([noting(calls)]);
    const first = await run(table, {}, { runId: "r" });
    const again = await run(table, {}, { runId: "r" });
    expect([names(calls), again.output, again.restoredSteps]).toEqual([["a", "b"], first.output, 2]);
  });

  test("keeps bytes, big integers and odd numbers", async () => {
    const calls: Calls = [];
    const odd = { bytes: new Uint8Array([0, 255]), big: 2n ** 60n, minus: -0, $x: 1 };
    const table = sequential([step("a", { n: "a" }), repeatable("b", { n: "b", give: "{{step.a.result}}" })]);
    const tool = noting(calls);
    const giving = {
      ...tool,
      execute: async (params: { n?: unknown }, context: never) =>
        params.n === "a" ? { operation: "run", result: odd } : tool.execute(params as never, context),
    } as ToolDefinition;
    const one = await here.processOf([giving]);
    await one.run(table, {}, { runId: "r" });
    const again = await one.run(table, {}, { runId: "r" });
    expect(again.steps[0]!.fields).toEqual(odd);
  });

  test("keeps its execution id, so that what it left in the state stays together", async () => {
    const calls: Calls = [];
    const inner = sequential([step("x", { n: "x", give: 1 })], { name: "in" });
    const table = sequential([
      step("a", { n: "a", give: "A" }),
      { name: "sub", type: "workflow", workflow: inner },
      repeatable("b", { n: "b", give: "B" }),
    ]);
    const state = await stateWith();
    const { bench: one, died } = await here.dyingAt("b", calls, { state });
    void one.run(table, {}, { runId: "r" }).catch(() => undefined);
    await died;
    await bury(one);
    const { executionId } = await (await here.processOf([noting(calls)], { state })).run(
      table,
      {},
      { runId: "r" },
    );
    expect((await state.keys(`workflow:${executionId}`)).sort()).toEqual([
      "a",
      "b",
      "final_output",
      "state",
      "sub",
    ]);
    expect(await state.load(`workflow:${executionId}`, "a")).toMatchObject({ output: "A" });
  });

  test("remembers the way it went: no condition is asked twice", async () => {
    const calls: Calls = [];
    const answers = new TestFunction(() => answers.calls.length === 1);
    const table = {
      name: "w",
      type: "conditional",
      condition: answers,
      then_steps: [repeatable("t", { n: "then" })],
      else_steps: [repeatable("e", { n: "else" })],
    };
    await here.killedAt("then", table, calls);
    await (await here.processOf([noting(calls)])).run(table, {}, { runId: "r" });
    expect([names(calls), answers.calls.length]).toEqual([["then", "then"], 1]);
  });

  test("goes on with the input and the shared data with which it began", async () => {
    const calls: Calls = [];
    const table = sequential([
      repeatable("a", { n: "a" }),
      step("b", { n: "b", give: "{{input.k}} {{shared.s}} {{shared.t}}" }),
    ]);
    const { bench: one, died } = await here.dyingAt("a", calls);
    const workflow = one.workflows.create(table);
    workflow.setShared("s", "begun");
    void workflow.execute({ k: "first" }, testRun(), { runId: "r" }).catch(() => undefined);
    await died;
    await bury(one);
    const result = await (await here.processOf([noting(calls)])).run(table, { k: "second" }, { runId: "r" });
    expect(result.output).toBe("first begun {{shared.t}}");
  });

  test("brings back what a step's function had set while it ran", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a" }), repeatable("b", { n: "b", give: "{{shared.set}}" })]);
    const run = async (dies: boolean) => {
      const { promise: died, resolve } = Promise.withResolvers<void>();
      const tool = noting(calls);
      const setting = {
        ...tool,
        execute: async (params: { n?: unknown }, context: never) => {
          if (params.n === "a") workflow.setShared("set", "by a");
          if (params.n === "b" && dies) {
            resolve();
            return new Promise<never>(() => {});
          }
          return tool.execute(params as never, context);
        },
      } as ToolDefinition;
      const one = await here.processOf([setting]);
      const workflow = one.workflows.create(table);
      const running = workflow.execute({}, testRun(), { runId: "r" });
      if (!dies) return (await running).output;
      running.catch(() => undefined);
      await died;
      return bury(one);
    };
    await run(true);
    expect(await run(false)).toBe("by a");
    expect(names(calls)).toEqual(["a", "b"]);
  });
});

describe("a run that is stopped from outside", () => {
  test("can go on", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a" }), repeatable("b", { n: "b", wait: 60_000 })]);
    const one = await here.processOf([noting(calls)]);
    const run = testRun();
    const running = failure(() => one.workflows.create(table).execute({}, run, { runId: "r" }));
    while (calls.length < 2) await Bun.sleep(1);
    run.abort();
    expect((await running).code).toBe("interrupted");
    const { run: shown, steps } = (await one.workflows.journal()).show("r");
    expect([shown.status, steps.map(({ path, status }) => `${path} ${status}`)]).toEqual([
      "stopped",
      ["a completed", "b started"],
    ]);
  });
});

describe("runs of a script without ids", () => {
  test("are found again by their number when the script is run again", async () => {
    const calls: Calls = [];
    const one = await here.processOf([noting(calls)]);
    const script = { ...testRun(), id: "s1" };
    const make = (n: string) => one.workflows.create({ ...sequential([step("a", { n })]), durable: true });
    const first = await make("x").execute({}, script);
    const second = await make("y").execute({}, script);
    expect([first.runId, second.runId]).toEqual([
      expect.stringMatching(/^run_.*\.1$/),
      expect.stringMatching(/\.2$/),
    ]);
    const again = { ...testRun(), id: "s2", resume: first.runId!.replace(/\.1$/, "") };
    expect((await make("x").execute({}, again)).restoredSteps).toBe(1);
    expect((await make("y").execute({}, again)).restoredSteps).toBe(1);
    expect(names(calls)).toEqual(["x", "y"]);
  });
});

describe("the point WorkflowCheckpoint", () => {
  test("tells each step that was journalled", async () => {
    const { hooks, add } = await testHooks();
    const seen: unknown[] = [];
    await add(({ data }) => void seen.push(data.checkpoint_id) as undefined, {
      points: ["WorkflowCheckpoint"],
    });
    const { run } = await here.processOf([noting([])], { hooks });
    await run(sequential([step("a"), step("b")]), {}, { runId: "r" });
    expect(seen).toEqual(["r:a", "r:b"]);
  });
});
