/** What a dry run lists, and that it leaves nothing that a real run would take for real. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { generateBert } from "../../support/bert.ts";
import { until } from "../../support/kernel.ts";
import { CallsSandbox, PAID } from "./support.ts";

const CONFIG = `${PAID}
[runtime.sessions]
enabled = true
storage_backend = "sqlite"
[runtime.state_persistence]
auto_save = true
`;

/** Every kind of thing that is stored; `TURN` makes what is written differ from run to run. */
const WRITES = (turn: string) => `
local function sum(input) return {name = "a", type = "tool", tool = "calculator", input = {input = input}} end
State.save("global", "turn", "${turn}")
State.save("user:ann", "${turn}", {1, 2})
State.delete("global", "kept")
local w = Workflow.sequential{name = "w", steps = {sum("6*7")}}
Workflow.save("flow", "${turn}" == "real" and w or Workflow.sequential{name = "w", steps = {sum("1+1")}})
w:execute({}, {run_id = "run-${turn}"})
local agent = Agent.create{name = "ada", model = "ci/scripted"}
agent:execute("I am ${turn}") agent:save_state()
local id = Session.create{name = "session ${turn}"} Session.set_current(id)
Session.set_state(id, "k", "${turn}")
for _, size in ipairs{10, 1000000} do
  local text = {} for i = 1, size / 10 do text[i] = math.random(100000000, 999999999) .. "," end
  Artifact.store("", "text", "size" .. size, table.concat(text))
end
Session.save(id)
print("done", State.load("global", "turn"), Workflow.get("flow"):execute().output, #Artifact.list(id))
`;

/** What the commands say is there. */
async function stored(box: CallsSandbox): Promise<Record<string, unknown>> {
  const said: Record<string, unknown> = {};
  for (const words of [
    ["state", "show"],
    ["session", "list"],
    ["workflow", "list"],
  ]) {
    const done = await box.run(["--config", box.config, "--output", "json", ...words]);
    said[words.join(" ")] = { code: done.code, document: JSON.parse(done.stdout || "null") };
  }
  return said;
}

/** Files below a directory with their content, but for what SQLite keeps beside a database. */
function filesOf(directory: string): Record<string, string> {
  if (!existsSync(directory)) return {};
  const found: Record<string, string> = {};
  for (const name of (readdirSync(directory, { recursive: true }) as string[]).sort()) {
    const path = join(directory, name);
    if (/-(wal|shm|journal)$/.test(name) || !statSync(path).isFile()) continue;
    found[name] = new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
  }
  return found;
}

describe("A dry run", () => {
  test("finds what real runs have stored, sees what it writes itself, and leaves all as it was", async () => {
    using box = new CallsSandbox(CONFIG);
    const data = join(box.home, ".llmspell");
    const first = await box.script(`${WRITES("real")} State.save("global", "kept", "yes")`);
    expect([first.stderr, first.stdout]).toEqual(["", "done\treal\t42\t2\n"]);
    const [before, files] = [await stored(box), filesOf(data)];
    expect(Object.keys(files).some((name) => name.startsWith("artifacts/"))).toBe(true);

    const dry = await box.script(
      `print(State.load("global", "kept"), State.load("global", "turn"), #Session.list(), Workflow.get("flow"):execute().output)
       ${WRITES("dry")} print(State.load("global", "kept"), #Session.list())`,
      "--dry-run",
    );
    expect(dry.stdout).toBe("yes\treal\t1\t42\ndone\tdry\t2\t2\nnil\t2\n");
    expect(dry.code).toBe(0);
    expect(filesOf(data)).toEqual(files);
    expect(await stored(box)).toEqual(before);
    expect(readdirSync(box.tmp)).toEqual([]);
  });

  test("makes no database where there is none", async () => {
    using box = new CallsSandbox(CONFIG);
    const dry = await box.script(WRITES("dry"), "--dry-run");
    expect([dry.code, dry.stdout]).toEqual([0, "done\tdry\t2\t2\n"]);
    expect(filesOf(join(box.home, ".llmspell"))).toEqual({});
  });

  test("that is killed leaves nothing either", async () => {
    using box = new CallsSandbox(CONFIG);
    expect((await box.script(WRITES("real"))).code).toBe(0);
    const files = filesOf(join(box.home, ".llmspell"));
    box.write("script.lua", `${WRITES("dry")} io.stdout:flush() while true do end`);
    const proc = box.start(["--config", box.config, "run", "--dry-run", "script.lua"]);
    for await (const piece of proc.stdout) if (new TextDecoder().decode(piece).includes("done")) break;
    proc.kill("SIGKILL");
    await proc.exited;
    expect(filesOf(join(box.home, ".llmspell"))).toEqual(files);
    expect(readdirSync(box.tmp)).toEqual([]);
  });

  test("removes no artifact and no backup, and makes none", async () => {
    using box = new CallsSandbox(
      `${CONFIG}backup_enabled = true\n[runtime.state_persistence.backup]\nbackup_dir = "backups"\n`,
    );
    const made = await box.script(`${WRITES("real")} local r = State.create_backup() print(r.success)`);
    expect(made.stdout).toEndWith("true\n");
    const [files, backups] = [filesOf(join(box.home, ".llmspell")), filesOf(box.file("backups"))];
    expect(Object.keys(backups).length).toBeGreaterThan(0);
    const dry = await box.script(
      `for _, s in ipairs(Session.list()) do Session.delete(s.id) end
       local all = State.list_backups()
       State.save("global", "turn", "later")
       print(#Session.list(), #all, State.restore_backup(all[1].id).success, State.load("global", "turn"))
       print(State.create_backup().error)`,
      "--dry-run",
    );
    expect(dry.stdout).toStartWith("0\t1\ttrue\treal\n");
    expect(dry.stdout).toContain("this is a dry run");
    expect(filesOf(join(box.home, ".llmspell"))).toEqual(files);
    expect(filesOf(box.file("backups"))).toEqual(backups);
  });

  test("sends no events out of the process, and stores none", async () => {
    const seen: string[] = [];
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        seen.push(await request.text());
        return new Response();
      },
    });
    using box = new CallsSandbox(
      `${PAID}\n[events]\nenabled = true\n[events.export]\nfile = "events.jsonl"\nwebhook = "${server.url.href}"\n[events.persistence]\nenabled = true\n`,
    );
    const script = `Event.publish("my.event", {n = 1}) print("told")`;
    expect((await box.script(script, "--dry-run")).stdout).toBe("told\n");
    expect([seen, existsSync(box.file("events.jsonl"))]).toEqual([[], false]);
    expect(filesOf(join(box.home, ".llmspell"))).toEqual({});
    expect((await box.script(script)).stdout).toBe("told\n");
    await until(() => seen.length > 0);
    expect(readFileSync(box.file("events.jsonl"), "utf8")).toContain("my.event");
  });

  test("downloads nothing", async () => {
    using box = new CallsSandbox();
    const { stdout } = await box.script(`print(pcall(LocalLLM.pull, "acme/tiny"))`, "--dry-run");
    expect(stdout).toContain("Cannot pull acme/tiny: a dry run downloads nothing");
  });

  test("keeps state in a directory of its own as it is, too", async () => {
    using box = new CallsSandbox();
    mkdirSync(box.file("own"));
    box.write(
      "calls.toml",
      `${PAID}\n[runtime.state_persistence]\nschema_directory = "${box.file("own")}"\n`,
    );
    const script = (turn: string) =>
      `print(State.load("global", "turn")) State.save("global", "turn", "${turn}")`;
    expect((await box.script(script("real"))).stdout).toBe("nil\n");
    expect((await box.script(script("dry"), "--dry-run")).stdout).toBe("real\n");
    expect((await box.script(script("later"))).stdout).toBe("real\n");
  });

  test("is nothing to resume a workflow with", async () => {
    using box = new CallsSandbox();
    const done = await box.run(["workflow", "resume", "x", "--dry-run"]);
    expect([done.code, done.stderr]).toEqual([
      2,
      expect.stringContaining("--dry-run and --replay are for `llmspell run`"),
    ]);
  });
});

describe("A dry run lists", () => {
  test("what the steps of a workflow of every type would call", async () => {
    using box = new CallsSandbox();
    const { stdout, code } = await box.script(
      `
      for _, name in ipairs{"ada", "bob"} do Agent.create{name = name, model = "ci/scripted", max_tokens = 10} end
      local function ask(name, agent) return {name = name, type = "agent", agent = agent, input = "Hi"} end
      local file = {name = "file", type = "tool", tool = "file-operations", input = {operation = "write", path = "x.txt", content = "x"}}
      local sum = {name = "sum", type = "tool", tool = "calculator", input = {input = "6*7"}}
      local fan = Workflow.parallel{name = "fan", branches = {{name = "x", steps = {ask("one", "ada")}}, {name = "y", steps = {ask("two", "bob"), sum}}}}
      local passes = Workflow.loop{name = "passes", iterator = {collection = {1, 2, 3}}, body = {ask("pass", "ada")}}
      local choice = Workflow.conditional{name = "choice", steps = {sum}, branches = {{name = "yes", condition = "step.sum.output == 42", steps = {file}}}}
      local function of(w) return {name = w.name, type = "workflow", workflow = w} end
      local r = Workflow.sequential{name = "all", steps = {of(fan), of(passes), of(choice)}}:execute()
      print(r.status, r.steps.fan.output.x, r.steps.passes.output[3])
      `,
      ...["--dry-run", "--output", "json"],
    );
    expect(code).toBe(0);
    const { planned, console } = JSON.parse(stdout);
    const text = "[dry run: no model was asked]";
    expect(console).toEqual([`completed\t${text}\t${text}`]);
    expect(planned.models).toMatchObject([
      { provider: "ci", model: "scripted", kind: "chat", calls: 5, max_tokens: 50 },
    ]);
    expect(planned.tools).toEqual([
      { tool: "calculator", calls: 2, ran: true },
      { tool: "file-operations", calls: 1, ran: false },
    ]);
    // 5 answers of 10 tokens at $2000 a million, and prompts at $1000
    expect(planned.max_cost_usd).toBeGreaterThan(0.1);
    expect(existsSync(box.file("x.txt"))).toBe(false);
  });

  test("vectors and scores that would be asked for, without a model in memory", async () => {
    using box = new CallsSandbox();
    const path = generateBert(box.cwd, "bert-rank-f32");
    expect((await box.run(["model", "import", path, "--name", "ranker:test"])).code).toBe(0);
    rmSync(join(box.home, ".cache"), { recursive: true });
    const { stdout, stderr, code } = await box.script(
      `local r = LocalLLM.embed("spell-mini", {"one text", "another"})
       local s = LocalLLM.rank("ranker:test", "which?", {"one", "two"})
       print(#r.embeddings, #s, s[1].text)
       LocalLLM.embed("spell-mini", "a third")`,
      "--dry-run",
    );
    expect([code, stdout]).toEqual([0, "2\t2\tone\n"]);
    expect(stderr).toMatch(/^llamacpp\/spell-mini +embeddings +2 +\d+ /m);
    expect(stderr).toMatch(/^llamacpp\/ranker:test +rerank +1 +\d+ /m);
    // the built-in model was looked at, and no library unpacked
    expect(readdirSync(join(box.home, ".cache/llmspell"))).toEqual(["models"]);
  });
});
