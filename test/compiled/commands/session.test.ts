/** spec/cli.md section 11: the command on sessions that scripts made, in its own process and in a kernel that runs. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Finished, Sandbox } from "../../support/cli.ts";

const UNKNOWN = "11111111-1111-4111-8111-111111111111";
const LASTING = '[runtime.sessions]\nenabled = true\nstorage_backend = "sqlite"\n';
const MAKE = `
local id = Session.create({name = ARGS[1] or "made", description = "by a script", tags = {"t"}})
Session.set_current(id)
print(Tool.execute("calculator", {operation = "evaluate", input = "6*7"}).output)
Tool.execute("uuid-generator", {})
Artifact.store(id, "markdown", "notes.md", ("text "):rep(30000))
Artifact.store(id, "tool_result", "empty", "")
Session.set_state(id, "k", {1, 2})
io.write(id)`;

class SessionBox extends Sandbox {
  constructor(config = LASTING) {
    super();
    this.write("c.toml", config);
    this.write("make.lua", MAKE);
  }

  session(...args: string[]): Promise<Finished> {
    return this.run(["session", ...args], { env: { LLMSPELL_CONFIG: "c.toml" } });
  }

  async document(...args: string[]): Promise<{ code: number; document: Record<string, unknown> }> {
    const done = await this.run(["--output", "json", "session", ...args], {
      env: { LLMSPELL_CONFIG: "c.toml" },
    });
    return { code: done.code, document: JSON.parse(done.stdout) };
  }

  async make(name?: string): Promise<string> {
    const args = name === undefined ? [] : ["--", name];
    const { stdout, stderr } = await this.run(["-c", "c.toml", "run", "make.lua", ...args]);
    expect(stderr).toBe("");
    return stdout.split("\n").at(-1)!;
  }
}

describe("llmspell session", () => {
  test("shows what scripts of other processes did", async () => {
    using box = new SessionBox();
    expect((await box.session("list")).stdout).toBe("No sessions found\n");
    expect((await box.document("list")).document).toEqual({ sessions: [], count: 0 });
    const id = await box.make();
    const { stdout } = await box.session("list");
    expect(stdout).toBe(
      [
        "Sessions (1 total):",
        "",
        `${"ID".padEnd(15)} ${"NAME".padEnd(25)} ${"STATUS".padEnd(12)} ${"STEPS".padEnd(8)} ARTIFACTS`,
        `${id} ${"made".padEnd(25)} ${"active".padEnd(12)} ${"3".padEnd(8)} 2`,
        "",
      ].join("\n"),
    );
    expect((await box.session("list", "--detailed")).stdout).toContain(`Session: ${id}\n  Name: made\n`);
    const { document } = await box.document("show", id);
    expect(Object.keys(document)).toEqual([
      "id",
      "name",
      "created_at",
      "last_activity",
      "status",
      "description",
      "tags",
      "steps",
      "artifacts",
      "metadata",
    ]);
    expect(document).toMatchObject({
      id,
      name: "made",
      status: "active",
      description: "by a script",
      steps: [
        { step: 1, action: "tool:calculator", details: '{"input":"6*7","operation":"evaluate"}' },
        { step: 2, action: "tool:uuid-generator" },
        { step: 3, action: "state:session:k" },
      ],
      artifacts: [
        { type: "markdown", path: "notes.md", size_bytes: 150_000 },
        { type: "tool_result", path: "empty", size_bytes: 0 },
      ],
      metadata: { agent_count: 0, tool_executions: 2, memory_peak_mb: null },
    });
    expect((await box.session("show", id)).stdout).toContain("  1. ");
  });

  test("replays, whole and in part", async () => {
    using box = new SessionBox();
    const id = await box.make();
    expect((await box.session("replay", id, "--from-step", "1", "--to-step", "2")).stdout).toBe(
      `🔄 Replaying session: ${id}\n  Starting from step: 1\n  Stopping at step: 2\n✓ Replay completed: 2 steps, 0 mismatches\n`,
    );
    expect(await box.document("replay", id)).toEqual({
      code: 0,
      document: {
        status: "completed",
        session_id: id,
        from_step: null,
        to_step: null,
        steps_replayed: 3,
        steps_run: 1,
        mismatches: 0,
        differences: [],
        not_run: [],
        failures: [],
      },
    });
  });

  test("creates and deletes", async () => {
    using box = new SessionBox();
    const made = (await box.session("create", "--name", "n")).stdout;
    const id = /^✓ Created session: (.{36})\n$/.exec(made)![1]!;
    expect((await box.session("delete", id)).stdout).toBe(`✓ Deleted session: ${id}\n`);
    const second = String((await box.document("create")).document.session_id);
    expect((await box.document("delete", second)).document).toEqual({
      status: "deleted",
      session_id: second,
    });
    await box.make();
    expect((await box.document("delete", "--all")).document).toEqual({
      status: "deleted",
      message: "Deleted all sessions",
    });
    expect((await box.session("list")).stdout).toBe("No sessions found\n");
  });

  test("moves a session to another machine, whole", async () => {
    using box = new SessionBox();
    using other = new SessionBox();
    const id = await box.make();
    const file = join(box.root, "session.tar");
    expect((await box.session("export", id, file)).stdout).toBe(`✓ Exported session ${id} to ${file}\n`);
    expect((await box.session("export", id, file)).stderr).toContain("the file exists already");
    expect((await other.session("import", file)).stdout).toBe(`✓ Imported session ${id} from ${file}\n`);
    const show = (place: SessionBox) => place.document("show", id);
    expect(await show(other)).toEqual(await show(box));
    expect((await other.document("replay", id)).document).toMatchObject({
      status: "completed",
      mismatches: 0,
    });
    const content = await other.run([
      "-c",
      "c.toml",
      "exec",
      `local a = Artifact.list("${id}")[1] return Artifact.get("${id}", a).content == ("text "):rep(30000)`,
    ]);
    expect(content.stdout).toBe("true\n");
    expect((await other.session("import", file)).stderr).toContain(`it is there already: ${id}`);
  });

  test("refuses an export that is damaged, and keeps nothing of it", async () => {
    using box = new SessionBox();
    using other = new SessionBox();
    const id = await box.make();
    const file = join(box.root, "session.tar");
    await box.session("export", id, file);
    const whole = new Uint8Array(await Bun.file(file).arrayBuffer());
    const spoilt = (at: number) => whole.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const middle = whole.length >> 1; // within the large artifact
    for (const [what, bytes] of [
      ["session.json is damaged", spoilt(600)],
      ["the content of artifact", spoilt(middle)],
      ["the archive is truncated", whole.subarray(0, middle)],
      ["a header of the archive is damaged", new TextEncoder().encode("x".repeat(2000))],
      ["the archive is truncated", new Uint8Array(0)],
    ] as const) {
      writeFileSync(file, bytes);
      const { code, stderr } = await other.session("import", file);
      expect([code, stderr]).toEqual([1, expect.stringContaining(`Cannot import session: ${what}`)]);
      expect((await other.session("list")).stdout).toBe("No sessions found\n");
    }
    const absent = await other.session("import", "absent.tar");
    expect([absent.code, absent.stderr]).toEqual([
      1,
      expect.stringContaining("Import file does not exist: "),
    ]);
  });

  test.each([
    [["show", UNKNOWN], 1, `Session not found: ${UNKNOWN}`],
    [["show", "nope"], 1, "Session not found: nope"],
    [["delete", UNKNOWN], 1, `Session not found: ${UNKNOWN}`],
    [["export", UNKNOWN, "x.tar"], 1, `Session not found: ${UNKNOWN}`],
    [["replay", UNKNOWN], 1, `Session not found: ${UNKNOWN}`],
    [["replay", UNKNOWN, "--from-step", "0"], 2, "--from-step"],
    [["delete"], 2, "give the id of a session, or --all"],
    [["show"], 2, ""],
  ])("%p is refused", async (args, code, message) => {
    using box = new SessionBox();
    const done = await box.session(...args);
    expect([done.code, done.stderr]).toEqual([code, expect.stringContaining(message)]);
  });

  test("makes no session that would be gone with the command", async () => {
    using box = new SessionBox("[runtime.sessions]\nenabled = true\n");
    const { code, stderr } = await box.session("create");
    expect([code, stderr]).toEqual([1, expect.stringContaining("sessions are kept in memory")]);
    expect((await box.session("list")).stdout).toBe("No sessions found\n");
  });
});

describe("in a kernel that runs", () => {
  const box = new SessionBox();
  let kernel: ReturnType<Sandbox["start"]>;
  let id: string;
  const KERNEL = ["--kernel", "here"];

  beforeAll(async () => {
    kernel = box.start(["kernel", "start", "--port", "0", "--id", "here"], {
      env: { LLMSPELL_CONFIG: "c.toml" },
    });
    const reader = kernel.stdout.getReader();
    let said = "";
    while (!said.includes("started on")) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`The kernel did not start: ${await new Response(kernel.stderr).text()}`);
      said += new TextDecoder().decode(value);
    }
    void reader.cancel();
    id = await box.make();
  });
  afterAll(async () => {
    kernel.kill("SIGTERM");
    await kernel.exited;
    box[Symbol.dispose]();
  });

  test("every document is the same, byte for byte", async () => {
    const commands = [
      ["list"],
      ["list", "--detailed"],
      ["show", id],
      ["show", "nope"],
      ["replay", id],
      ["replay", id, "--from-step", "2"],
      ["replay", UNKNOWN],
      ["delete", UNKNOWN],
      ["export", id, "out.tar"],
      ["import", "out.tar"],
      ["import", "absent.tar"],
    ];
    for (const output of ["json", "text"])
      for (const words of commands) {
        const results: Finished[] = [];
        for (const options of [[], KERNEL]) {
          if (words[0] === "export") rmSync(join(box.cwd, "out.tar"), { force: true });
          results.push(
            await box.run(["--output", output, "session", ...words, ...options], {
              env: options.length === 0 ? { LLMSPELL_CONFIG: "c.toml" } : {},
            }),
          );
        }
        const [embedded, connected] = results.map(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
        expect(connected).toEqual(embedded!);
      }
  }, 120_000);

  test("its own session comes with the first tool that a script calls there", async () => {
    const names = async () =>
      ((await box.document("list", ...KERNEL)).document.sessions as { name: string }[]).map(
        ({ name }) => name,
      );
    expect(await names()).not.toContain("kernel-session-here");
    await box.run(["exec", ...KERNEL, `Tool.execute("calculator", {operation = "evaluate", input = "1+1"})`]);
    expect(await names()).toContain("kernel-session-here");
    const name = await box.run(["exec", ...KERNEL, "return Session.get(Session.get_current()):get_name()"]);
    expect(name.stdout).toBe('"kernel-session-here"\n');
  });
});

test("two processes work on one store at once, and lose nothing of each other's", async () => {
  using box = new SessionBox();
  box.write(
    "store.lua",
    `local id = Session.create({name = ARGS[1]})
     for i = 1, 30 do
       Artifact.store(id, "note", "shared", ("same "):rep(20000))
       local own = Artifact.store(id, "note", "own", ARGS[1] .. i .. ("x"):rep(100))
       if i % 3 == 0 then Artifact.delete(id, own) end
       if i % 7 == 0 then for _, a in ipairs(Artifact.query{session_id = id, name_pattern = "shared"}) do Artifact.delete(id, a.id) end end
     end
     Artifact.store(id, "note", "shared", ("same "):rep(20000))`,
  );
  const done = await Promise.all(
    ["a", "b"].map((name) => box.run(["-c", "c.toml", "run", "store.lua", "--", name])),
  );
  expect(done.map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  const look = await box.run([
    "-c",
    "c.toml",
    "exec",
    `local n = 0 for _, a in ipairs(Artifact.query{}) do
       local got = Artifact.get(a.session_id, a.id)
       if a.name == "shared" then assert(got.content == ("same "):rep(20000)) end n = n + 1 end return n`,
  ]);
  // 20 of its own, and what was stored under the shared name after the last clearing (28): 2 and 1
  expect([look.stdout, look.stderr]).toEqual([`${2 * (20 + 3)}\n`, ""]);
}, 60_000);
