/** Steps of which nobody knows whether they were done. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { testRun } from "../../agents/support.ts";
import { type Calls, names, noting, sequential, step } from "../support.ts";
import { bury, JournalPlace } from "./support.ts";

const here = JournalPlace.forEachTest();

describe("a step that was begun when the process died", () => {
  const table = sequential([step("a", { n: "a" }), step("pay/now", { n: "pay" }), step("c", { n: "c" })]);

  test("and may not be repeated is reported, with the ways to decide", async () => {
    const calls: Calls = [];
    await here.killedAt("pay", table, calls);
    const { run, workflows } = await here.processOf([noting(calls)]);
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
    const one = await here.processOf([noting(calls)]);
    const dead = testRun();
    void one.workflows
      .create(both)
      .execute({}, dead, { runId: "r" })
      .catch(() => undefined);
    while (calls.length < 2) await Bun.sleep(1);
    await bury(one);
    const other = await here.processOf([noting(calls)]);
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
      await here.killedAt("pay", table, calls);
      const { run, workflows } = await here.processOf([noting(calls)]);
      const journal = await workflows.journal();
      await journal.decide("r", way === "retry" ? ["pay%2Fnow"] : [], way === "skip" ? ["pay%2Fnow"] : []);
      const result = await run(table, {}, { runId: "r" });
      expect([names(calls), result.success]).toEqual([[...after], true]);
      expect(result.steps[1]!.status).toBe(way === "skip" ? "skipped" : "completed");
    });

  test("is repeated by itself where it only computes or an agent answers", async () => {
    const { run, workflows, agents } = await here.processOf([]);
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
