/** Durable runs: what is done again, what is not, and who may go on with a run. Two services stand for two processes. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStorage, type Storage } from "../../../src/storage/storage.ts";
import type { ToolDefinition } from "../../../src/tools/tool.ts";
import { failure } from "../../support/model-service.ts";
import { testRun } from "../agents/support.ts";
import { testHooks } from "../hooks/support.ts";
import { stateWith } from "../state/support.ts";
import { type Bench, bench, type Calls, noting, step, TestFunction } from "./support.ts";

const places: string[] = [];
const open: Storage[] = [];
afterAll(() => {
  for (const storage of open) storage.close();
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "llmspell-journal-"));
  places.push(place);
});

/** A process with the database of this test. */
async function processOf(tools: ToolDefinition[], options: Parameters<typeof bench>[0] = {}): Promise<Bench> {
  const storage = await openStorage(place);
  open.push(storage);
  return bench({ tools, storage, dataDirectory: place, ...options });
}

const sequential = (steps: unknown, more: object = {}) => ({ name: "w", type: "sequential", steps, ...more });

/** Calls of `note` by what they carry; `n` names a call. */
const names = (calls: Calls) => calls.map(([, input]) => (input as { n?: unknown }).n);

/** A process that dies within the call named `at`: it does what it does and says nothing any more. */
async function dyingAt(
  at: unknown,
  calls: Calls,
  options: Parameters<typeof bench>[0] = {},
): Promise<{ bench: Bench; died: Promise<void> }> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const tool = noting(calls);
  const dying = {
    ...tool,
    execute: async (params: { n?: unknown }, context: never) => {
      const result = await tool.execute(params as never, context);
      if (params.n !== at) return result;
      resolve();
      return new Promise<never>(() => {});
    },
  } as ToolDefinition;
  return { bench: await processOf([dying], options), died: promise };
}

/** Runs it in a process that dies. */
async function killedAt(
  at: unknown,
  table: Record<string, unknown>,
  calls: Calls,
  input = {},
): Promise<void> {
  const { bench: one, died } = await dyingAt(at, calls);
  void one.run(table, input, { runId: "r" }).catch(() => undefined);
  await died;
  one.workflows.dispose(); // its lock goes with it
  await Bun.sleep(1);
}

const repeatable = (name: string, input: Record<string, unknown>) => step(name, input, { repeatable: true });

describe("a durable run", () => {
  test("that was killed goes on where it stopped, and does nothing twice", async () => {
    const calls: Calls = [];
    const table = sequential([
      step("a", { n: "a", give: { deep: [1, "x"] } }),
      repeatable("b", { n: "b", was: "{{step.a.result.deep.2}}", give: "{{step.a.output}}" }),
      step("c", { n: "c", give: "{{b}}" }),
    ]);
    await killedAt("b", table, calls);
    const { run } = await processOf([noting(calls)]);
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
    const plain = await (await processOf([noting(whole)])).run(flow, {});
    const all = names(whole);
    expect(all).toEqual(["first", "p", "q", "z0", "z1", "x", "y"]);
    for (const at of all) {
      rmSync(place, { recursive: true });
      place = mkdtempSync(join(tmpdir(), "llmspell-journal-"));
      places.push(place);
      const calls: Calls = [];
      await killedAt(at, flow, calls);
      const result = await (await processOf([noting(calls)])).run(flow, {}, { runId: "r" });
      expect(result.output).toEqual(plain.output);
      expect(result.counts).toEqual(plain.counts);
      const index = all.indexOf(at);
      expect(names(calls)).toEqual([...all.slice(0, index + 1), ...all.slice(index)]);
    }
  });

  test("that has ended is told again, and nothing is done", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", give: 1 }), step("b", { n: "b", give: 2 })]);
    const { run } = await processOf([noting(calls)]);
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
    const one = await processOf([giving]);
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
    const { bench: one, died } = await dyingAt("b", calls, { state });
    void one.run(table, {}, { runId: "r" }).catch(() => undefined);
    await died;
    one.workflows.dispose();
    await Bun.sleep(1);
    const { executionId } = await (await processOf([noting(calls)], { state })).run(
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
    await killedAt("then", table, calls);
    await (await processOf([noting(calls)])).run(table, {}, { runId: "r" });
    expect([names(calls), answers.calls.length]).toEqual([["then", "then"], 1]);
  });

  test("goes on with the input and the shared data with which it began", async () => {
    const calls: Calls = [];
    const table = sequential([
      repeatable("a", { n: "a" }),
      step("b", { n: "b", give: "{{input.k}} {{shared.s}} {{shared.t}}" }),
    ]);
    const { bench: one, died } = await dyingAt("a", calls);
    const workflow = one.workflows.create(table);
    workflow.setShared("s", "begun");
    void workflow.execute({ k: "first" }, testRun(), { runId: "r" }).catch(() => undefined);
    await died;
    one.workflows.dispose();
    await Bun.sleep(1);
    const result = await (await processOf([noting(calls)])).run(table, { k: "second" }, { runId: "r" });
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
      const one = await processOf([setting]);
      const workflow = one.workflows.create(table);
      const running = workflow.execute({}, testRun(), { runId: "r" });
      if (!dies) return (await running).output;
      running.catch(() => undefined);
      await died;
      one.workflows.dispose();
      return Bun.sleep(1);
    };
    await run(true);
    expect(await run(false)).toBe("by a");
    expect(names(calls)).toEqual(["a", "b"]);
  });
});

describe("a step that was begun when the process died", () => {
  const table = sequential([step("a", { n: "a" }), step("pay/now", { n: "pay" }), step("c", { n: "c" })]);

  test("and may not be repeated is reported, with the ways to decide", async () => {
    const calls: Calls = [];
    await killedAt("pay", table, calls);
    const { run, workflows } = await processOf([noting(calls)]);
    const error = await failure(() => run(table, {}, { runId: "r" }));
    expect(error.message).toMatch(
      /interrupted within step "pay\/now" \(tool note\), which is not repeatable/,
    );
    expect(error.hint).toMatch(/llmspell workflow resume r --retry pay%2Fnow, or --skip pay%2Fnow/);
    expect(error.data).toMatchObject({ status: "interrupted", run_id: "r", steps: ["pay%2Fnow"] });
    expect(names(calls)).toEqual(["a", "pay"]);
    expect((await workflows.journal()).show("r").run.status).toBe("interrupted");
  });

  test("is reported with all others, before anything more is done", async () => {
    const calls: Calls = [];
    const both = {
      name: "p",
      type: "parallel",
      steps: [
        step("x", { n: "x", wait: 60_000 }),
        step("y", { n: "y", wait: 60_000 }),
        step("z", { n: "z" }),
      ],
      max_concurrency: 2,
    };
    const one = await processOf([noting(calls)]);
    const dead = testRun();
    void one.workflows
      .create(both)
      .execute({}, dead, { runId: "r" })
      .catch(() => undefined);
    while (calls.length < 2) await Bun.sleep(1);
    one.workflows.dispose();
    await Bun.sleep(1);
    const other = await processOf([noting(calls)]);
    const error = await failure(() => other.run(both, {}, { runId: "r" }));
    expect(error.message).toMatch(
      /2 steps that are not repeatable: .*: branch:x\/x \(tool note\), branch:y\/y \(tool note\)/,
    );
    expect(error.hint).toMatch(
      /resume r --retry branch:x\/x --retry branch:y\/y, with --skip for those that were done/,
    );
    expect(names(calls)).toEqual(["x", "y"]);
    dead.abort();
  });

  for (const [way, after] of [
    ["retry", ["a", "pay", "pay", "c"]],
    ["skip", ["a", "pay", "c"]],
  ] as const)
    test(`goes on by --${way}`, async () => {
      const calls: Calls = [];
      await killedAt("pay", table, calls);
      const { run, workflows } = await processOf([noting(calls)]);
      const journal = await workflows.journal();
      await journal.decide("r", way === "retry" ? ["pay%2Fnow"] : [], way === "skip" ? ["pay%2Fnow"] : []);
      const result = await run(table, {}, { runId: "r" });
      expect([names(calls), result.success]).toEqual([[...after], true]);
      expect(result.steps[1]!.status).toBe(way === "skip" ? "skipped" : "completed");
    });

  test("is repeated by itself where it only computes or an agent answers", async () => {
    const { run, workflows, agents } = await processOf([]);
    await agents.create({ name: "ada", type: "basic" });
    await run(
      sequential([
        { name: "sum", type: "tool", tool: "calculator", input: { input: "1+1" } },
        { name: "id", type: "tool", tool: "uuid-generator", input: { operation: "generate" } },
        { name: "ask", type: "agent", agent: "ada", input: "hi" },
        {
          name: "list",
          type: "tool",
          tool: "file-operations",
          input: { operation: "list", path: "/" },
          continue_on_error: true,
        },
        { name: "own", type: "tool", tool: "none", continue_on_error: true },
      ]),
      {},
      { runId: "r" },
    );
    const { steps } = (await workflows.journal()).show("r");
    expect(Object.fromEntries(steps.map((one) => [one.path, one.is_repeatable]))).toEqual({
      sum: 1,
      id: 1,
      ask: 1,
      list: 0,
      own: 1,
    });
  });
});

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
    const one = await processOf([sometimes]);
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
    const one = await processOf([noting(calls)]);
    await failure(() => one.run(table, {}, { runId: "r" }));
    expect((await failure(() => one.run(table, {}, { runId: "r" }))).data.variant).toBe("Interrupted");
    expect(calls.length).toBe(1);
  });
});

describe("two processes", () => {
  test("may not run one run at once; a dead one's is taken over", async () => {
    const calls: Calls = [];
    const table = sequential([repeatable("a", { n: "a" })]);
    const { bench: one, died } = await dyingAt("a", calls);
    const running = one.run(table, {}, { runId: "r" });
    running.catch(() => undefined);
    await died;
    const other = await processOf([noting(calls)]);
    const error = await failure(() => other.run(table, {}, { runId: "r" }));
    expect([error.code, error.message]).toMatchObject([
      "already_exists",
      expect.stringContaining('Cannot run workflow run "r"'),
    ]);
    expect((await failure(() => one.run(table, {}, { runId: "r" }))).code).toBe("already_exists");
    expect((await other.workflows.journal()).show("r").run).toMatchObject({
      status: "running",
      isAlive: true,
    });
    one.workflows.dispose();
    await Bun.sleep(1);
    expect((await other.workflows.journal()).show("r").run).toMatchObject({
      status: "stopped",
      isAlive: false,
    });
    expect((await other.run(table, {}, { runId: "r" })).success).toBe(true);
  });

  test("that go for one run at once: one gets it", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", wait: 50 })]);
    const all = await Promise.all(Array.from({ length: 4 }, () => processOf([noting(calls)])));
    const ends = await Promise.allSettled(all.map((one) => one.run(table, {}, { runId: "r" })));
    expect([ends.filter(({ status }) => status === "fulfilled").length, calls.length]).toEqual([1, 1]);
  });

  test("one cancels what the other runs, for good", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", wait: 60_000 }, { timeout_ms: 60_000 })]);
    const one = await processOf([noting(calls)]);
    const running = failure(() => one.run(table, {}, { runId: "r" }));
    while (calls.length === 0) await Bun.sleep(1);
    const other = await processOf([noting(calls)]);
    const journal = await other.workflows.journal();
    expect(await journal.cancel("r")).toBe("requested");
    expect((await running).message).toMatch(/Workflow run "r" was cancelled/);
    expect(journal.show("r").run.status).toBe("cancelled");
    expect((await failure(() => other.run(table, {}, { runId: "r" }))).message).toMatch(/it was cancelled/);
    await journal.remove("r");
    expect((await failure(() => journal.show("r"))).code).toBe("not_found");
  });

  test("remove the locks of those that were killed long ago", async () => {
    const directory = join(place, "workflow-owners");
    mkdirSync(directory);
    const [old, young] = [crypto.randomUUID(), crypto.randomUUID()];
    for (const id of [old, young]) writeFileSync(join(directory, `${id}.lock`), "");
    utimesSync(join(directory, `${old}.lock`), new Date(0), new Date(0));
    const one = await processOf([noting([])]);
    await one.run(sequential([step("a")]), {}, { runId: "r" });
    one.workflows.dispose();
    await Bun.sleep(1);
    expect(readdirSync(directory)).toEqual([`${young}.lock`]);
  });

  test("leave nothing behind", async () => {
    const one = await processOf([noting([])]);
    await one.run(sequential([step("a")]), {}, { runId: "r" });
    one.workflows.dispose();
    await Bun.sleep(1);
    expect(readdirSync(join(place, "workflow-owners"))).toEqual([]);
  });
});

describe("a workflow that has changed", () => {
  test("is refused with the difference", async () => {
    const calls: Calls = [];
    await killedAt("b", sequential([step("a", { n: "a" }), step("b", { n: "b" })]), calls);
    const { run } = await processOf([noting(calls)]);
    const changed = sequential([step("a", { n: "a" }), step("b", { n: "B" }), step("c")]);
    const error = await failure(() => run(changed, {}, { runId: "r" }));
    expect(error.message).toMatch(
      /has changed since it began: steps\[1\]\.input\.n changed: "b" → "B"; steps\[2\] added/,
    );
    expect(error.hint).toMatch(/llmspell workflow delete r/);
  });

  test("only in its description, and in functions, is the same", async () => {
    const calls: Calls = [];
    const table = (description: string) => ({
      ...sequential([repeatable("a", { n: "a" })]),
      description,
      steps: [{ ...repeatable("a", { n: "a" }), condition: new TestFunction(() => true) }],
    });
    await killedAt("a", table("one"), calls);
    expect((await (await processOf([noting(calls)])).run(table("two"), {}, { runId: "r" })).success).toBe(
      true,
    );
  });
});

describe("a run that is stopped from outside", () => {
  test("can go on", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a" }), repeatable("b", { n: "b", wait: 60_000 })]);
    const one = await processOf([noting(calls)]);
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
    const one = await processOf([noting(calls)]);
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
    const { run } = await processOf([noting([])], { hooks });
    await run(sequential([step("a"), step("b")]), {}, { runId: "r" });
    expect(seen).toEqual(["r:a", "r:b"]);
  });
});
