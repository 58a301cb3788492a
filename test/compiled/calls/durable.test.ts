/** Durable workflows in runs in which nothing is really done. */
import { expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

const SCRIPT = `Agent.create{name = "w", model = "local/spell-mini"}
  local wf = Workflow.sequential{name = "d", run_id = "r1", steps = {
    {name = "a", type = "tool", tool = "calculator", input = {operation = "evaluate", input = "6*7"}},
    {name = "b", type = "agent", agent = "w", input = "Hello"}}}
  local r = wf:execute{text = "go"}
  print(r.outputs.a, r.outputs.b, r.execution_id, os.time())`;

async function runs(box: Sandbox): Promise<string[]> {
  const { stdout } = await box.run(["--output", "json", "workflow", "list"]);
  return (JSON.parse(stdout).runs as { id: string }[]).map((run) => run.id);
}

test("a dry run leaves nothing for a real one to take for done", async () => {
  using box = new Sandbox();
  box.write("d.lua", SCRIPT);
  expect((await box.run(["run", "--dry-run", "d.lua"])).stdout).toContain("[dry run: no model was asked]");
  expect(await runs(box)).toEqual([]);
  expect((await box.run(["run", "d.lua"])).stdout).not.toContain("dry run");
  expect(await runs(box)).toEqual(["r1"]);
});

test("a replay takes no finished step from the journal, writes none, and gives what was recorded", async () => {
  using box = new Sandbox();
  box.write("d.lua", SCRIPT);
  const recorded = await box.run(["run", "--record", "d.jsonl", "d.lua"]);
  expect(recorded.stdout).toStartWith("42\t");
  const before = (await box.run(["--output", "json", "workflow", "show", "r1"])).stdout;
  expect((await box.run(["run", "--replay", "d.jsonl", "d.lua"])).stdout).toBe(recorded.stdout);
  expect((await box.run(["--output", "json", "workflow", "show", "r1"])).stdout).toBe(before);
});
