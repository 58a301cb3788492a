/** What workflows share, and what a script is told of a run: agents, callbacks, outputs. */
import { describe, expect, test } from "bun:test";
import { failure } from "../../../support/model-service.ts";
import { testRun } from "../../agents/support.ts";
import { bad, bench, sequential, step, withNotes } from "../support.ts";

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
