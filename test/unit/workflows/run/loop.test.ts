/** Passes over ranges, lists and as long as something holds, and how they end. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { bench, names, step, TestFunction, withNotes } from "../support.ts";

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
