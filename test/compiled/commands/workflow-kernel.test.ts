/** Durable workflows in kernels: killed within a step, gone on with in another one, decided about and cancelled from outside. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { code, isRunning, KernelSandbox, type Started, until } from "../../support/kernel.ts";

/** Steps `a` to `d` append to a file; `b` waits until the file `go` is there. */
const SCRIPT = `
local function append(name) Tool.execute("file-operations", {operation = "append", path = "effects.log", input = name .. "\\n"}) end
Tool.register("do", function(p)
  append(p.n)
  while p.n == "b" and not pcall(Tool.execute, "file-operations", {operation = "read", path = "go"}) do end
  return "did " .. p.n
end)
local b = Workflow.builder():name("four"):sequential():run_id("mine")
for _, n in ipairs{"a", "b", "c", "d"} do b:add_step{name = n, type = "tool", tool = "do", input = {n = n}} end
print(b:build():execute({k = 1}).output)
`;

class Box extends KernelSandbox {
  private readonly config = this.write(
    "c.toml",
    `[tools.file_operations]\nallowed_paths = ['${this.cwd}']\n`,
  );

  constructor() {
    super();
    this.write("four.lua", this.here(SCRIPT));
  }

  /** Files by their whole path: a kernel has a directory of its own. */
  here(script: string): string {
    const path = (name: string) => `"${join(this.cwd, name)}"`;
    return script.replaceAll('"effects.log"', path("effects.log")).replaceAll('"go"', path("go"));
  }

  kernel(): Promise<Started> {
    return this.daemon([], { env: { LLMSPELL_CONFIG: this.config } });
  }

  get effects(): string {
    const path = join(this.cwd, "effects.log");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").join(" ") : "";
  }

  go(): void {
    writeFileSync(join(this.cwd, "go"), "");
  }

  workflow(kernel: Started, command: string, ...args: string[]) {
    return this.run(["workflow", command, "--kernel", kernel.id, ...args]);
  }

  async listed(kernel: Started): Promise<unknown> {
    const done = await this.run(["--output", "json", "workflow", "list", "--kernel", kernel.id]);
    return JSON.parse(done.stdout).runs;
  }

  /** The script runs in the kernel, and is within step `b`. */
  async begun(kernel: Started) {
    const client = this.start(["run", "--kernel", kernel.id, "four.lua"]);
    await until(() => this.effects.endsWith("b"));
    return client;
  }

  /** Another one, after the first was killed by SIGKILL within step `b`. */
  async afterDeath(): Promise<Started> {
    const first = await this.kernel();
    const client = await this.begun(first);
    process.kill(first.pid, "SIGKILL");
    await until(() => !isRunning(first.pid));
    expect(await client.exited).not.toBe(0);
    expect(await new Response(client.stdout).text()).toBe("");
    return this.kernel();
  }
}

describe("A kernel that is killed while it runs a durable workflow", () => {
  for (const [decision, effects] of [
    ["--skip", "a b c d"],
    ["--retry", "a b b c d"],
  ] as const)
    test(`leaves a run with which another one goes on, ${decision} deciding about the open step`, async () => {
      using box = new Box();
      const second = await box.afterDeath();
      expect(await box.listed(second)).toMatchObject([
        { id: "mine", status: "stopped", steps_done: 1, process: null, starts: 1 },
      ]);
      box.go();
      const asked = await box.workflow(second, "resume", "mine");
      expect([asked.code, asked.stdout, box.effects]).toEqual([1, "", "a b"]);
      expect(asked.stderr).toContain("llmspell workflow resume mine --retry b, or --skip b");
      const done = await box.workflow(second, "resume", "mine", decision, "b");
      expect([done.stdout, done.stderr, done.code]).toEqual(["did d\n", "", 0]);
      expect(box.effects).toBe(effects);
      expect(await box.listed(second)).toMatchObject([{ status: "completed", steps_done: 4, starts: 3 }]);
    });

  test("is no reason not to run the script again where nothing is open", async () => {
    using box = new Box();
    box.write("four.lua", box.here(SCRIPT).replace("input = {n = n}", "input = {n = n}, repeatable = true"));
    const second = await box.afterDeath();
    box.go();
    const done = await box.run(["run", "--kernel", second.id, "four.lua"]);
    expect([done.stdout, done.code, box.effects]).toEqual(["did d\n", 0, "a b b c d"]);
  });
});

describe("workflow cancel through a kernel", () => {
  test("ends the run there, and for good", async () => {
    using box = new Box();
    const kernel = await box.kernel();
    const client = await box.begun(kernel);
    expect(await box.listed(kernel)).toMatchObject([{ status: "running", process: kernel.pid }]);
    const cancelled = await box.workflow(kernel, "cancel", "mine");
    expect([cancelled.code, cancelled.stderr]).toEqual([0, ""]);
    expect(await client.exited).not.toBe(0);
    expect(await new Response(client.stderr).text()).toContain('Workflow run "mine" was cancelled');
    expect(await box.listed(kernel)).toMatchObject([{ status: "cancelled", process: null }]);
    box.go();
    const again = await box.run(["run", "--kernel", kernel.id, "four.lua"]);
    expect([again.code, box.effects]).toEqual([1, "a b"]);
    expect((await box.workflow(kernel, "resume", "mine")).stderr).toContain("it was cancelled");
    expect((await box.workflow(kernel, "delete", "mine")).code).toBe(0);
    const anew = await box.run(["run", "--kernel", kernel.id, "four.lua"]);
    expect([anew.stdout, box.effects]).toEqual(["did d\n", "a b a b c d"]);
  });

  test("reaches a run in a process of its own", async () => {
    using box = new Box();
    const kernel = await box.kernel();
    const own = box.start(["-c", "c.toml", "run", "four.lua"]);
    await until(() => box.effects.endsWith("b"));
    expect((await box.workflow(kernel, "cancel", "mine")).stdout).toStartWith(
      "✓ Asked the process that runs it",
    );
    expect(await own.exited).not.toBe(0);
    expect(await box.listed(kernel)).toMatchObject([{ status: "cancelled" }]);
  });
});

/** Two steps, of which the second waits for `go`. */
const WAITING = `
Tool.register("wait", function() while not pcall(Tool.execute, "file-operations", {operation = "read", path = "go"}) do end return "waited" end)
local w = Workflow.sequential{name = "w", steps = {
  {name = "a", type = "tool", tool = "calculator", input = {input = "6*7"}},
  {name = "b", type = "tool", tool = "wait"}}}
`;

describe("What happens in a workflow is told while it happens", () => {
  test("to a client of a kernel", async () => {
    using box = new Box();
    const kernel = await box.kernel();
    const client = await box.connect(kernel);
    const events: unknown[] = [];
    let isOver = false;
    const reply = client
      .request(
        code(`${box.here(WAITING)} w:on_progress(function(p) print(p.type) end) return w:execute().output`),
        {
          onEvent: (event) => events.push(event.type === "stream" ? String(event.text) : event),
        },
      )
      .finally(() => {
        isOver = true;
      });
    await until(() => events.join("").includes("step_completed"));
    expect(events).toContainEqual({ type: "progress", label: "workflow w", done: 1, total: 2 });
    expect([isOver, events.join("").includes("workflow_completed")]).toEqual([false, false]);
    box.go();
    expect(await reply).toMatchObject({ status: "ok", value: "waited" });
    expect(events).toContainEqual({ type: "progress", label: "workflow w", done: 2, total: 2 });
    await client.shutdown();
  });

  test("by functions of the script and tokens of its agents, under --stream", async () => {
    using box = new Box();
    box.write(
      "stream.toml",
      `[tools.file_operations]\nallowed_paths = ['${box.cwd}']\n[providers]\ndefault_provider = "ci"\n[providers.ci]\nprovider_type = "test"\ndefault_model = "scripted"\n[[providers.ci.responses]]\ntext = "one two three"\n`,
    );
    box.write(
      "stream.lua",
      `${box.here(WAITING)} Agent.create{name = "ada", model = "ci/scripted"}
       local s = Workflow.sequential{name = "s", steps = {{name = "ask", type = "agent", agent = "ada", input = "hi"}, {name = "b", type = "tool", tool = "wait"}}}
       s:execute({}, {on_progress = function(p) print("<" .. p.type .. ">") end}) print("over")`,
    );
    const proc = box.start(["-c", "stream.toml", "run", "--stream", "stream.lua"]);
    let shown = "";
    const decoder = new TextDecoder();
    for await (const piece of proc.stdout) {
      shown += decoder.decode(piece, { stream: true });
      if (!shown.includes("<step_completed>") || existsSync(join(box.cwd, "go"))) continue;
      expect(shown).toContain("one two three");
      expect(shown).not.toContain("over");
      box.go();
    }
    expect(await proc.exited).toBe(0);
    expect(shown).toEndWith("<workflow_completed>\nover\n");
    expect(shown.indexOf("one two three")).toBeLessThan(shown.indexOf("<step_completed>"));
  });

  test("on a terminal, as a line that tells how far it is", async () => {
    using box = new Box();
    const { Terminal } = await import("../../support/terminal.ts");
    box.write("wait.lua", `${box.here(WAITING)} print(w:execute().output)`);
    const terminal = new Terminal(box, ["-c", "c.toml", "run", "wait.lua"]);
    await until(() => terminal.screen.includes("workflow w 50 %"));
    expect(terminal.screen).not.toContain("waited");
    box.go();
    expect(await terminal.exited()).toBe(0);
    expect(terminal.screen).toContain("waited");
  });
});
