/** `llmspell workflow`: runs that scripts left behind, in a process of their own and in a kernel that runs. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, Sandbox } from "../../support/cli.ts";
import { KernelSandbox, until } from "../../support/kernel.ts";

const CONFIG = "[tools.file_operations]\nallowed_paths = ['.']\n";

/** Three steps that append; the second one waits until the file `go` is there. */
const SCRIPT = `
local function append(name) Tool.execute("file-operations", {operation = "append", path = "effects.log", input = name .. "\\n"}) end
Tool.register("do", function(p)
  append(p.n)
  while p.n == "b" and not pcall(Tool.execute, "file-operations", {operation = "read", path = "go"}) do end
  return "did " .. p.n .. " for " .. tostring(ARGS.who)
end)
local b = Workflow.builder():name("three"):sequential():durable(true)
for _, n in ipairs{"a", "b", "c"} do b:add_step{name = n, type = "tool", tool = "do", input = {n = n}} end
print(b:build():execute({k = 1}).output)
`;

function prepare(box: Sandbox): void {
  box.write("c.toml", CONFIG);
  box.write("three.lua", SCRIPT);
}

const effects = (box: Sandbox) => readFileSync(join(box.cwd, "effects.log"), "utf8").trim().split("\n");

class RunsBox extends Sandbox {
  constructor() {
    super();
    prepare(this);
  }

  workflow(...args: string[]): Promise<Finished> {
    return this.run(["-c", "c.toml", "workflow", ...args]);
  }

  async document(...args: string[]): Promise<Record<string, unknown>> {
    const done = await this.run(["-c", "c.toml", "--output", "json", "workflow", ...args]);
    return JSON.parse(done.stdout || done.stderr);
  }

  /** Kills the script within its second step. */
  async killed(): Promise<string> {
    const proc = this.start(["-c", "c.toml", "run", "three.lua", "--", "--who", "ann"]);
    await until(() => existsSync(join(this.cwd, "effects.log")) && effects(this).includes("b"));
    const { runs } = (await this.document("list")) as {
      runs: { id: string; status: string; process: number }[];
    };
    expect(runs).toMatchObject([{ status: "running", process: proc.pid, workflow: "three", steps_done: 1 }]);
    proc.kill("SIGKILL");
    await proc.exited;
    return runs[0]!.id;
  }
}

describe("llmspell workflow", () => {
  test("has nothing to show where nothing was durable", async () => {
    using box = new RunsBox();
    expect((await box.workflow("list")).stdout).toBe("No workflow runs found\n");
    expect(await box.document("list")).toEqual({ runs: [], count: 0 });
    const done = await box.workflow("show", "none");
    expect([done.code, done.stderr]).toEqual([1, expect.stringContaining("Workflow run not found: none")]);
  });

  test("shows a run that was killed, asks what to do about its open step, and goes on", async () => {
    using box = new RunsBox();
    const id = await box.killed();
    const { run } = (await box.document("show", id)) as { run: Record<string, unknown> };
    expect(run).toMatchObject({ id, status: "stopped", starts: 1, process: null, input: { k: 1 } });
    expect(run.steps).toMatchObject([
      { path: "a", status: "completed", output: "did a for ann", repeatable: false },
      { path: "b", status: "interrupted", output: null },
    ]);
    expect((await box.workflow("show", id)).stdout).toMatch(/ {2}b {2}tool do {2}interrupted\n/);
    writeFileSync(join(box.cwd, "go"), "");

    const asked = await box.workflow("resume", id);
    expect(asked.code).toBe(1);
    expect(asked.stderr).toMatch(
      /interrupted within step "b" \(tool do\), which is not repeatable: nobody knows/,
    );
    expect(asked.stderr).toContain(`llmspell workflow resume ${id} --retry b, or --skip b`);
    expect((await box.workflow("list")).stdout).toMatch(/ {2}interrupted {2}1 {2}/);

    const wrong = await box.workflow("resume", id, "--retry", "x");
    expect(wrong.stderr).toMatch(/no such step in its journal: x\n.*"b"/);
    expect((await box.workflow("resume", id, "--skip", "a")).stderr).toMatch(/step "a" is completed/);

    const done = await box.workflow("resume", id, "--skip", "b");
    expect([done.stdout, done.stderr, done.code]).toEqual(["did c for ann\n", "", 0]);
    expect(effects(box)).toEqual(["a", "b", "c"]);
    expect((await box.workflow("resume", id)).stderr).toMatch(/it is completed/);
  });

  test("retries a step where it is told to, and says that the script has changed", async () => {
    using box = new RunsBox();
    const id = await box.killed();
    writeFileSync(join(box.cwd, "go"), "");
    box.write("three.lua", `${SCRIPT}-- a remark\n`);
    const done = await box.workflow("resume", id, "--retry", "b");
    expect([done.stdout, done.code]).toEqual(["did c for ann\n", 0]);
    expect(done.stderr).toMatch(/^The script has changed since the run began: .*three\.lua\n$/);
    expect(effects(box)).toEqual(["a", "b", "b", "c"]);
  });

  test("gives one document in JSON", async () => {
    using box = new RunsBox();
    const id = await box.killed();
    writeFileSync(join(box.cwd, "go"), "");
    const document = await box.document("resume", id, "--skip", "b");
    expect(document).toMatchObject({
      status: "success",
      run_id: id,
      run_status: "completed",
      script_changed: false,
      result: "did c for ann",
    });
    expect(await box.document("delete", id)).toEqual({ status: "deleted", run_id: id });
    expect(await box.document("list")).toEqual({ runs: [], count: 0 });
  });

  test("refuses a workflow that has changed, with the difference", async () => {
    using box = new RunsBox();
    const id = await box.killed();
    box.write("three.lua", SCRIPT.replace('{"a", "b", "c"}', '{"a", "b", "d"}'));
    const done = await box.workflow("resume", id, "--skip", "b");
    expect(done.stderr).toMatch(/has changed since it began: steps\[2\]\.input\.n changed: "c" → "d"/);
    expect(effects(box)).toEqual(["a", "b"]);
  });

  test("refuses to resume in another directory, and what no script file began", async () => {
    using box = new RunsBox();
    const id = await box.killed();
    mkdirSync(join(box.cwd, "other"));
    const elsewhere = await box.run(["workflow", "resume", id], { cwd: join(box.cwd, "other") });
    expect(elsewhere.stderr).toMatch(/it was begun in another directory: .*\n.*cd /);
    const code = `Workflow.sequential{name = "w", steps = {{name = "a", tool = "calculator", input = {input = "1 +"}}}}:execute({}, {run_id = "mine"})`;
    await box.run(["exec", code]);
    expect((await box.workflow("resume", "mine")).stderr).toMatch(/no script file began it\n.*same run_id/);
  });

  test("says where the script no longer runs the workflow", async () => {
    using box = new RunsBox();
    const id = await box.killed();
    box.write("three.lua", "print('nothing to do')");
    const done = await box.workflow("resume", id);
    expect([done.code, done.stderr]).toEqual([
      1,
      expect.stringContaining("the script has ended without going on with it"),
    ]);
  });

  test("cancels what another process runs, and what nobody runs", async () => {
    using box = new RunsBox();
    const proc = box.start(["-c", "c.toml", "run", "three.lua"]);
    await until(() => existsSync(join(box.cwd, "effects.log")) && effects(box).includes("b"));
    const [{ id }] = (await box.document("list")).runs as [{ id: string }];
    expect((await box.workflow("cancel", id)).stdout).toBe(
      `✓ Asked the process that runs it to end workflow run: ${id}\n`,
    );
    expect(await proc.exited).not.toBe(0);
    expect(await new Response(proc.stderr).text()).toMatch(/was cancelled/);
    expect((await box.document("show", id)).run).toMatchObject({ status: "cancelled" });
    expect((await box.workflow("resume", id)).stderr).toMatch(/it was cancelled/);
    expect((await box.workflow("cancel", id)).stderr).toMatch(/it is cancelled/);
  });

  test("is not needed where a second process goes for a run that runs: it is refused", async () => {
    using box = new RunsBox();
    box.write("three.lua", SCRIPT.replace(":durable(true)", ':run_id("same")'));
    const first = box.start(["-c", "c.toml", "run", "three.lua"]);
    await until(() => existsSync(join(box.cwd, "effects.log")) && effects(box).includes("b"));
    const second = await box.run(["-c", "c.toml", "run", "three.lua"]);
    expect([second.code, second.stdout]).toEqual([1, ""]);
    expect(second.stderr).toContain(`Cannot run workflow run "same": process ${first.pid} runs it`);
    writeFileSync(join(box.cwd, "go"), "");
    expect(await first.exited).toBe(0);
    expect(effects(box)).toEqual(["a", "b", "c"]);
  });

  test("works in a kernel that runs", async () => {
    using box = new KernelSandbox();
    prepare(box);
    const started = await box.daemon([], { env: { LLMSPELL_CONFIG: join(box.cwd, "c.toml") } });
    const id = "in-kernel";
    const script = SCRIPT.replace(":durable(true)", `:run_id("${id}")`)
      .replaceAll("effects.log", join(box.cwd, "effects.log"))
      .replaceAll('"go"', `"${join(box.cwd, "go")}"`);
    box.write("kernel.lua", script);
    writeFileSync(join(box.cwd, "go"), "");
    const kernel = ["--kernel", started.id];
    const done = await box.run(["run", ...kernel, "kernel.lua"]);
    expect([done.stdout, done.stderr]).toEqual(["did c for nil\n", ""]);
    const listed = await box.run(["--output", "json", "workflow", "list", ...kernel]);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      count: 1,
      runs: [{ id, status: "completed", steps_done: 3 }],
    });
    expect((await box.run(["workflow", "resume", ...kernel, id])).stderr).toMatch(/it is completed/);
    expect((await box.run(["workflow", "delete", ...kernel, id])).code).toBe(0);
  });
});
