/**
 * A durable run of 30 steps of every kind whose process dies at each write of its journal, before the write and after it:
 * each effect happens exactly once, and the results are those worked out by hand.
 */
import { describe, expect, test } from "bun:test";
import { errorToJson } from "../../../../src/core/errors.ts";
import { type Bench, type Calls, names, noting, sequential, step } from "../support.ts";
import { bury, dying, JournalPlace } from "./support.ts";

const here = JournalPlace.forEachTest();

const sum = (name: string, input: string) => ({ name, type: "tool", tool: "calculator", input: { input } });
const effect = (name: string, n = name) => step(name, { n });
const asStep = (name: string, workflow: object, input: object = {}) => ({
  name,
  type: "workflow",
  workflow,
  input,
});

const FLOW = sequential([
  effect("begin"),
  sum("five", "2 + 3"),
  asStep(
    "fan",
    {
      name: "fan",
      type: "parallel",
      max_concurrency: 2,
      branches: [1, 2, 3, 4].map((i) => ({
        name: `b${i}`,
        steps: [effect(`fan${i}`), sum(`times${i}`, `{{input.base}} * ${i}`)],
      })),
    },
    { base: "{{five}}" },
  ),
  asStep("choose", {
    name: "choose",
    type: "conditional",
    steps: [sum("check", "7")],
    branches: [
      { name: "eight", condition: "step.check.output == 8", steps: [effect("never")] },
      {
        name: "seven",
        condition: { type: "step_output_equals", step: "check", value: 7 },
        steps: [effect("chosen"), sum("more", "{{check}} + 1")],
      },
    ],
    default_branch: { steps: [effect("never-either")] },
  }),
  asStep("loop", {
    name: "loop",
    type: "loop",
    while_condition: "$iteration < 9",
    break_conditions: ["$loop_index == 3"],
    body: [effect("pass", "pass{{loop_index}}"), sum("square", "{{loop_index}} * {{loop_index}}")],
  }),
  asStep(
    "outer",
    sequential(
      [
        sum("x", "{{input.k}} + 1"),
        asStep("inner", sequential([effect("deep"), sum("y", "{{input.k}} * 2")], { name: "inner" }), {
          k: "{{x}}",
        }),
        sum("z", "{{inner}} + {{x}}"),
      ],
      { name: "outer" },
    ),
    { k: "{{choose}}" },
  ),
  step("passed-over", { n: "not" }, { condition: "{{choose}} == 9" }),
  effect("tail1"),
  sum("all", "{{five}} + {{step.fan.result.b4}} + {{step.loop.result.4}} + {{outer}}"),
  { ...effect("tail3"), continue_on_error: true },
  sum("last", "{{all}} * 2"),
]);

const EFFECTS = [
  "begin",
  ...["fan1", "fan2", "fan3", "fan4"],
  "chosen",
  ...["pass0", "pass1", "pass2", "pass3"],
  ...["deep", "tail1", "tail3"],
];
const GIVEN = {
  five: 5,
  fan: { b1: 5, b2: 10, b3: 15, b4: 20 },
  choose: 8,
  loop: [0, 1, 4, 9],
  // x is 9, y is 18
  outer: 27,
  all: 5 + 20 + 9 + 27,
  last: 122,
};

/** Executes it until it has ended: where it asks, what can be seen of a step decides. */
async function untilItsEnd(process: Bench, calls: Calls, what: string) {
  const asked = await process.run(FLOW, {}, { runId: "r" }).catch((error: unknown) => errorToJson(error));
  if (!("code" in asked)) return { result: asked, isDecided: false };
  expect({ what, variant: asked.data?.variant }).toEqual({ what, variant: "Interrupted" });
  const open = asked.data?.steps as string[];
  const wasDone = (path: string) => {
    const [, pass] = /pass:(\d)\/pass$/.exec(path) ?? [];
    return names(calls).includes(pass === undefined ? path.slice(path.lastIndexOf("/") + 1) : `pass${pass}`);
  };
  const journal = await process.workflows.journal();
  await journal.decide(
    "r",
    open.filter((path) => !wasDone(path)),
    open.filter(wasDone),
  );
  return { result: await process.run(FLOW, {}, { runId: "r" }), isDecided: true };
}

async function check(process: Bench, calls: Calls, what: string): Promise<boolean> {
  const { result, isDecided } = await untilItsEnd(process, calls, what);
  const given = Object.fromEntries(result.steps.map(({ name, value }) => [name, value]));
  expect({ what, done: names(calls).sort() }).toEqual({ what, done: [...EFFECTS].sort() });
  expect({ what, given }).toMatchObject({ what, given: GIVEN });
  expect({ what, ...result }).toMatchObject({ what, success: true, status: "completed", output: GIVEN.last });
  const { run, steps } = (await process.workflows.journal()).show("r");
  const leaves = steps.filter(({ kind }) => kind === "tool");
  expect([run.status, leaves.length]).toEqual(["completed", 30]);
  return isDecided;
}

describe("a run of 30 steps whose process dies", () => {
  test("at no write gives what was worked out by hand", async () => {
    const calls: Calls = [];
    await check(await here.processOf([noting(calls)]), calls, "whole");
  });

  for (const when of ["before", "after"] as const)
    test(`${when} each write of its journal does each step once, and gives the same`, async () => {
      const counted = dying(await here.storage(), Number.POSITIVE_INFINITY, when);
      const whole = await here.processOf([noting([])], { storage: counted.storage });
      await whole.run(FLOW, {}, { runId: "r" });
      const { writes } = counted.count;
      // each step has two, and the run begins and ends
      expect(writes).toBeGreaterThanOrEqual(2 * 30 + 2);
      let decided = 0;
      for (let at = 1; at <= writes; at++) {
        here.fresh();
        const calls: Calls = [];
        const { storage, died } = dying(await here.storage(), at, when);
        const first = await here.processOf([noting(calls)], { storage });
        void first.run(FLOW, {}, { runId: "r" }).catch(() => undefined);
        await died;
        // what runs beside it may still be at work, but is not heard of
        await Bun.sleep(1);
        await bury(first);
        const second = await here.processOf([noting(calls)]);
        if (await check(second, calls, `${when} write ${at} of ${writes}`)) decided++;
      }
      expect(decided).toBeGreaterThan(EFFECTS.length / 2);
    }, 120_000);
});
