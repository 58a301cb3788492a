/** Choices between branches, and what becomes of them where a condition fails. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { names, step, TestFunction, withNotes } from "../support.ts";

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
