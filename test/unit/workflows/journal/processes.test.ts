/** Who may go on with a run, and with which workflow. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { failure } from "../../../support/model-service.ts";
import { type Calls, noting, sequential, step, TestFunction } from "../support.ts";
import { bury, JournalPlace, repeatable } from "./support.ts";

const here = JournalPlace.forEachTest();

describe("two processes", () => {
  test("may not run one run at once; a dead one's is taken over", async () => {
    const calls: Calls = [];
    const table = sequential([repeatable("a", { n: "a" })]);
    const { bench: one, died } = await here.dyingAt("a", calls);
    const running = one.run(table, {}, { runId: "r" });
    running.catch(() => undefined);
    await died;
    const other = await here.processOf([noting(calls)]);
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
    await bury(one);
    expect((await other.workflows.journal()).show("r").run).toMatchObject({
      status: "stopped",
      isAlive: false,
    });
    expect((await other.run(table, {}, { runId: "r" })).success).toBe(true);
  });

  test("that go for one run at once: one gets it", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", wait: 50 })]);
    const all = await Promise.all(Array.from({ length: 4 }, () => here.processOf([noting(calls)])));
    const ends = await Promise.allSettled(all.map((one) => one.run(table, {}, { runId: "r" })));
    expect([ends.filter(({ status }) => status === "fulfilled").length, calls.length]).toEqual([1, 1]);
  });

  test("one cancels what the other runs, for good", async () => {
    const calls: Calls = [];
    const table = sequential([step("a", { n: "a", wait: 60_000 }, { timeout_ms: 60_000 })]);
    const one = await here.processOf([noting(calls)]);
    const running = failure(() => one.run(table, {}, { runId: "r" }));
    while (calls.length === 0) await Bun.sleep(1);
    const other = await here.processOf([noting(calls)]);
    const journal = await other.workflows.journal();
    expect(await journal.cancel("r")).toBe("requested");
    expect((await running).message).toMatch(/Workflow run "r" was cancelled/);
    expect(journal.show("r").run.status).toBe("cancelled");
    expect((await failure(() => other.run(table, {}, { runId: "r" }))).message).toMatch(/it was cancelled/);
    await journal.remove("r");
    expect((await failure(() => journal.show("r"))).code).toBe("not_found");
  });

  test("remove the locks of those that were killed long ago", async () => {
    const directory = join(here.path, "workflow-owners");
    mkdirSync(directory);
    const [old, young] = [crypto.randomUUID(), crypto.randomUUID()];
    for (const id of [old, young]) writeFileSync(join(directory, `${id}.lock`), "");
    utimesSync(join(directory, `${old}.lock`), new Date(0), new Date(0));
    const one = await here.processOf([noting([])]);
    await one.run(sequential([step("a")]), {}, { runId: "r" });
    await bury(one);
    expect(readdirSync(directory)).toEqual([`${young}.lock`]);
  });

  test("leave nothing behind", async () => {
    const one = await here.processOf([noting([])]);
    await one.run(sequential([step("a")]), {}, { runId: "r" });
    await bury(one);
    expect(readdirSync(join(here.path, "workflow-owners"))).toEqual([]);
  });
});

describe("a workflow that has changed", () => {
  test("is refused with the difference", async () => {
    const calls: Calls = [];
    await here.killedAt("b", sequential([step("a", { n: "a" }), step("b", { n: "b" })]), calls);
    const { run } = await here.processOf([noting(calls)]);
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
    await here.killedAt("a", table("one"), calls);
    expect(
      (await (await here.processOf([noting(calls)])).run(table("two"), {}, { runId: "r" })).success,
    ).toBe(true);
  });
});
