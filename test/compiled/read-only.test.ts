/** A data directory that may not be written: what is there can be read, and what would change it says so. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, type Finished, Sandbox } from "../support/cli.ts";
import { noMountsHere, readOnlyCommand } from "../support/mounted.ts";

const CONFIG = (home: string) => `[runtime.sessions]
enabled = true
storage_backend = "sqlite"
[runtime.state_persistence]
backup_enabled = true
[runtime.state_persistence.backup]
backup_dir = "${join(home, ".llmspell/backups")}"
`;
const SESSION = "11111111-1111-4111-8111-111111111111";
/** Contents that stand in the database, compressed, and in a file. */
const MAKE = `State.save("global", "name", "spell") State.save("user:bob", "theme", {dark = true})
local id = Session.create({id = "${SESSION}", name = "kept", tags = {"t"}})
Session.set_state(id, "k", {1, 2})
math.randomseed(1)
local t = {} for i = 1, 400000 do t[i] = string.char(math.random(0, 255)) end
Artifact.store(id, "note", "small", "a few words")
Artifact.store(id, "note", "long", ("words "):rep(10000))
Artifact.store(id, "note", "large", table.concat(t))
Session.save(id)`;
const READ = `print(State.load("global", "name"), State.load("user:bob", "theme").dark, #State.list_keys("global"))
print(Session.get("${SESSION}").name, Session.get_state("${SESSION}", "k")[2], #Session.list({tags = {"t"}}))
for _, record in ipairs(Artifact.list("${SESSION}")) do
  print(record.name, #Artifact.get("${SESSION}", record.id).content)
end`;

class Home extends Sandbox {
  readonly data = join(this.home, ".llmspell");

  constructor() {
    super();
    this.write("c.toml", CONFIG(this.home));
    this.write("make.lua", MAKE);
    this.write("read.lua", READ);
  }

  call(...args: string[]): Promise<Finished> {
    return this.run(["-c", "c.toml", ...args]);
  }

  /** With the data directory, or what else is named, read-only. */
  readOnly(args: readonly string[], paths: readonly string[] = [this.data]): Promise<Finished> {
    const [executable, ...rest] = readOnlyCommand(paths, [EXECUTABLE, "-c", "c.toml", ...args]);
    return this.run(rest, { executable: executable! });
  }
}

describe.skipIf(noMountsHere !== undefined)("A read-only data directory", () => {
  let box: Home;
  let backup: string;

  beforeAll(async () => {
    box = new Home();
    expect((await box.call("run", "make.lua")).stderr).toBe("");
    const created = await box.call("--output", "json", "backup", "create");
    backup = JSON.parse(created.stdout).backup_id;
    await box.call("keys", "add", "openai", "sk-0123456789abcdefghij-end1");
  });
  afterAll(() => box[Symbol.dispose]());

  const READS: string[][] = [
    ["state", "get", "name"],
    ["state", "list"],
    ["state", "show"],
    ["state", "check"],
    ["session", "list"],
    ["session", "show", SESSION],
    ["backup", "list"],
    ["backup", "info", "BACKUP"],
    ["backup", "validate", "BACKUP"],
    ["keys", "list"],
    ["run", "read.lua"],
    ["exec", `return State.load("global", "name")`],
  ];
  const titled = (words: string[]): [string, string[]] => [words.join(" "), words];
  const named = (args: readonly string[]) => args.map((arg) => (arg === "BACKUP" ? backup : arg));

  test.each(READS.map(titled))("is read as any other: llmspell %s", async (_, words) => {
    const args = named(words);
    const plain = await box.call(...args);
    expect([plain.code, plain.stderr]).toEqual([0, ""]);
    const found = await box.readOnly(args);
    expect([found.stdout, found.stderr, found.code]).toEqual([plain.stdout, "", 0]);
  });

  test("gives scripts what they stored", async () => {
    expect((await box.readOnly(["run", "read.lua"])).stdout).toBe(
      "spell\ttrue\t1\nkept\t2\t1\nsmall\t11\nlong\t60000\nlarge\t400000\n",
    );
  });

  const WRITES: string[][] = [
    ["state", "set", "name", "1"],
    ["state", "delete", "name"],
    ["state", "clear"],
    ["state", "repair"],
    ["session", "delete", SESSION],
    ["backup", "create"],
    ["backup", "restore", "BACKUP"],
    ["backup", "delete", "BACKUP"],
    ["keys", "add", "groq", "sk-0123456789abcdefghij-end2"],
    ["keys", "remove", "openai"],
    ["exec", `State.save("global", "name", 1)`],
    ["exec", `State.update("global", "n", function() return 1 end)`],
    ["exec", "Session.create({})"],
    ["exec", `Session.set_tags("${SESSION}", {"new"})`],
    ["exec", `Artifact.store("${SESSION}", "note", "n", "new")`],
    ["exec", `Artifact.store("${SESSION}", "note", "n", ("new"):rep(200000))`],
  ];

  test.each(WRITES.map(titled))(
    "refuses to be written, with its place and a next step: llmspell %s",
    async (_, words) => {
      const refused = await box.readOnly(named(words));
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain("read-only");
      expect(refused.stderr).toContain(box.data);
      expect(refused.stderr).toContain("\n  Next: ");
      expect(refused.stderr).not.toMatch(/This is a bug|attempt to write/);
      expect((await box.call("run", "read.lua")).stdout).toStartWith("spell\ttrue\t1\nkept\t2\t1\n");
    },
  );

  test("is read where the database file alone is read-only, which cannot be written either", async () => {
    const paths = [join(box.data, "llmspell.db")];
    const found = await box.readOnly(["run", "read.lua"], paths);
    expect([found.stdout.split("\n")[0], found.stderr, found.code]).toEqual(["spell\ttrue\t1", "", 0]);
    const refused = await box.readOnly(["state", "set", "name", "1"], paths);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `Error: State set error: Cannot write the database: it is read-only: ${paths[0]}
  Next: Make the file and its directory writable, or set LLMSPELL_HOME to a directory that is
`,
    ]);
  });
});

describe.skipIf(noMountsHere !== undefined)("A read-only data directory that others write", () => {
  const COUNT = `local i = 0 while true do i = i + 1 State.save("global", "i", i) print(i) end`;

  /** The last number that a script acknowledged, which is then killed or goes on. */
  async function counting(
    box: Home,
    work: (last: () => number, kill: () => Promise<unknown>) => Promise<void>,
  ) {
    box.write("count.lua", COUNT);
    const proc = box.start(["run", "count.lua"]);
    let said = "";
    const reading = (async () => {
      for await (const chunk of proc.stdout) said += new TextDecoder().decode(chunk);
    })();
    const last = () => Number(said.trimEnd().split("\n").at(-1));
    try {
      while (said === "") await Bun.sleep(5);
      await work(last, async () => {
        proc.kill("SIGKILL");
        await proc.exited;
        await reading;
      });
    } finally {
      proc.kill("SIGKILL");
      await reading;
    }
  }

  test("shows what was written last, and what was written before somebody was killed", async () => {
    using box = new Home();
    await counting(box, async (last, kill) => {
      const before = last();
      const seen = await box.readOnly(["state", "get", "i"]);
      expect([seen.stderr, seen.code]).toEqual(["", 0]);
      expect(Number(seen.stdout)).toBeGreaterThanOrEqual(before);
      await kill();
      const acknowledged = last();
      const found = await box.readOnly(["state", "get", "i"]);
      expect([found.stderr, found.code]).toEqual(["", 0]);
      expect(Number(found.stdout) - acknowledged).toBeOneOf([0, 1]);
    });
  });

  test("is refused where a log that was left cannot be read, rather than shown as it was before", async () => {
    using box = new Home();
    await counting(box, async (_, kill) => void (await kill()));
    rmSync(join(box.data, "llmspell.db-shm"));
    const refused = await box.readOnly(["state", "get", "i"]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `Error: State get error: Cannot open the database: what was written last stands in a log that cannot be read in a read-only directory: ${box.data}/llmspell.db-wal
  Next: Copy the data directory to a place that can be written, and set LLMSPELL_HOME
`,
    ]);
  });

  test("is seen anew by a script that stays, whenever somebody writes", async () => {
    using box = new Home();
    await box.call("state", "set", "i", "1");
    box.write(
      "watch.lua",
      `print(State.load("global", "i")) while true do local line = io.read() if not line then break end print(State.load("global", "i")) end`,
    );
    const proc = Bun.spawn(readOnlyCommand([box.data], [EXECUTABLE, "run", "watch.lua"]), {
      cwd: box.cwd,
      env: box.env,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const said = proc.stdout.values();
    const line = async () => new TextDecoder().decode((await said.next()).value).trimEnd();
    expect(await line()).toBe("1");
    for (const value of ["2", "3"]) {
      await box.call("state", "set", "i", value);
      proc.stdin.write("\n");
      proc.stdin.flush();
      expect(await line()).toBe(value);
    }
    proc.stdin.end();
    expect(await proc.exited).toBe(0);
  });
});

describe.skipIf(noMountsHere !== undefined)("A read-only home", () => {
  test("without a data directory has no state, and cannot get any", async () => {
    using box = new Home();
    const listed = await box.readOnly(
      ["exec", `return State.load("global", "n") == nil and #Session.list()`],
      [box.home],
    );
    expect([listed.stdout, listed.stderr, listed.code]).toEqual(["0\n", "", 0]);
    const refused = await box.readOnly(["state", "set", "name", "1"], [box.home]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `Error: State set error: Cannot write the database: it is read-only: ${box.data}/llmspell.db
  Next: Make the file and its directory writable, or set LLMSPELL_HOME to a directory that is
`,
    ]);
    expect(existsSync(box.data)).toBe(false);
  });

  test("with a database of an older version says that it cannot be brought up to date", async () => {
    using box = new Home();
    await box.call("state", "set", "name", "1");
    const db = new Database(join(box.data, "llmspell.db"));
    db.run("DELETE FROM migration WHERE place = (SELECT max(place) FROM migration)");
    db.close();
    const refused = await box.readOnly(["state", "get", "name"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("an older version of llmspell made it, and it is read-only");
    expect(refused.stderr).toContain("Next: Copy the data directory to a place that can be written");
  });
});

describe.skipIf(noMountsHere !== undefined)("A read-only directory of backups", () => {
  test("can be restored from, without a backup of the present state there", async () => {
    using box = new Home();
    const backups = join(box.cwd, "backups");
    box.write(
      "c.toml",
      `[runtime.state_persistence]\nbackup_enabled = true\n[runtime.state_persistence.backup]\nbackup_dir = "${backups}"\n`,
    );
    await box.call("state", "set", "k", "1");
    const { stdout } = await box.call("--output", "json", "backup", "create");
    const id: string = JSON.parse(stdout).backup_id;
    rmSync(join(backups, ".lock"));
    await box.call("state", "set", "k", "2");
    const refused = await box.readOnly(["backup", "restore", id], [backups]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^Error: Restore error: Cannot write the backup '.*': the file system is read-only\n/,
      ),
    ]);
    expect((await box.call("state", "get", "k")).stdout).toBe("2\n");
    const done = await box.readOnly(["backup", "restore", id, "--no-backup"], [backups]);
    expect([done.stdout, done.stderr, done.code]).toEqual([`✓ Restored 1 entries of backup ${id}\n`, "", 0]);
    expect((await box.call("state", "get", "k")).stdout).toBe("1\n");
  });
});
