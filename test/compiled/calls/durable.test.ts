/** Durable workflows in runs in which nothing is really done. */
import { expect, test } from "bun:test";
import { join } from "node:path";
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

test("a dry run calls only what the journal still has to do", async () => {
  using box = new Sandbox();
  box.write(
    "d.lua",
    `Tool.register("fail", function() error("down") end)
    Agent.create{name = "w", model = "local/spell-mini"}
    local wf = Workflow.sequential{name = "d", run_id = "r1", steps = {
      {name = "a", type = "agent", agent = "w", input = "Hello"},
      {name = "b", type = "tool", tool = "fail", input = {}}}}
    print(pcall(wf.execute, wf, {text = "go"}))`,
  );
  const planned = async () =>
    (await box.run(["run", "--dry-run", "d.lua"])).stderr.match(/spell-mini/g)?.length;
  expect(await planned()).toBe(1);
  expect((await box.run(["run", "d.lua"])).stdout).toContain("down");
  const before = (await box.run(["--output", "json", "workflow", "show", "r1"])).stdout;
  expect(await planned()).toBeUndefined();
  expect((await box.run(["--output", "json", "workflow", "show", "r1"])).stdout).toBe(before);
});

test("a recorded run that went on with an earlier one is replayed, where its journal is not", async () => {
  using box = new Sandbox();
  using elsewhere = new Sandbox();
  const script = `Agent.create{name = "w", model = "local/spell-mini"}
    Tool.register("mail", function() if ARGS.down then error("down") end return "sent" end)
    local wf = Workflow.sequential{name = "d", run_id = "r1", steps = {
      {name = "a", type = "agent", agent = "w", input = "Hello"},
      {name = "b", type = "tool", tool = "mail", input = {}}}}
    local ok, r = pcall(wf.execute, wf, {text = "go"})
    print(ok, ok and r.outputs.a, ok and r.metadata.extra.restored_steps)`;
  for (const one of [box, elsewhere]) one.write("d.lua", script);
  const tape = join(box.cwd, "d.jsonl");
  expect((await box.run(["run", "d.lua", "--", "--down", "1"])).stdout).toStartWith("false");
  const recorded = await box.run(["run", "--record", tape, "d.lua"]);
  expect(recorded.stdout).toMatch(/^true\t.+\t1\n$/);
  for (let i = 0; i < 2; i++) {
    const { stdout, stderr } = await elsewhere.run(["run", "--replay", tape, "d.lua"]);
    expect([stdout, stderr]).toEqual([recorded.stdout, ""]);
  }
  expect(await runs(elsewhere)).toEqual([]);
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
