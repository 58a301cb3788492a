/** State that is too large, and databases that are busy, cut off, of another version or under another key: as a user meets them. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { mostRssBytesOf } from "../soak/soak.ts";
import { Sandbox } from "../support/cli.ts";

const MIB = 2 ** 20;
const database = (box: Sandbox) => join(box.home, ".llmspell/llmspell.db");

describe("A value of 100 MiB", () => {
  const SAVE = `local ok, err = pcall(State.save, "global", "big", ("x"):rep(100 << 20))
    print(ok, err)
    local back = State.load("global", "big")
    print(back and #back, State.load("global", "small"))`;
  const ROOM =
    "[engines.lua]\nmax_memory_bytes = 1000000000\n[runtime.security]\nmax_memory_bytes = 1000000000\n";
  /** Text in the VM, in the bridge, in the kernel, as JSON and compressed, some of it twice until it is collected, with the program itself. */
  const MOST_BYTES = 2048 * MIB;

  async function save(box: Sandbox, config: string) {
    await box.run(["state", "set", "small", "1"]);
    box.write("c.toml", config);
    box.write("save.lua", SAVE);
    const proc = box.start(["-c", "c.toml", "run", "save.lua"]);
    let most = 0;
    const looking = setInterval(() => {
      most = Math.max(most, mostRssBytesOf(proc.pid));
    }, 20);
    const [stdout, stderr, code] = await Promise.all([
      new Response(proc.stdout).text(),
      new Response(proc.stderr).text(),
      proc.exited,
    ]);
    clearInterval(looking);
    return { stdout, stderr, code, most };
  }

  test("does not fit into the memory of a script", async () => {
    using box = new Sandbox();
    const { stderr, code, most } = await save(box, "");
    expect(code).toBe(1);
    expect(stderr).toMatch(/memory/);
    expect(stderr).toContain("max_memory_bytes");
    expect(most).toBeLessThan(MOST_BYTES);
    expect((await box.run(["state", "get", "small"])).stdout).toBe("1\n");
  });

  test("is more than a value may have, which the message says with the setting", async () => {
    using box = new Sandbox();
    const { stdout, stderr, code, most } = await save(box, ROOM);
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toBe(
      "false\tCannot save state: the value must be at most 10000000 bytes: 104857602\nnil\t1\n",
    );
    expect(most).toBeLessThan(MOST_BYTES);
  });

  test("is kept where that is allowed", async () => {
    using box = new Sandbox();
    const allowed = `${ROOM}[runtime.state_persistence]\nmax_state_size_bytes = 200000000\n`;
    const { stdout, stderr, code, most } = await save(box, allowed);
    expect([stdout, code]).toEqual(["true\tnil\n104857600\t1\n", 0]);
    expect(stderr).toMatch(
      /^.* WARN +config: runtime\.state_persistence\.max_state_size_bytes is above 100 MB.*\n$/,
    );
    expect(most).toBeLessThan(MOST_BYTES);
  });

  test("is refused in a file to import, and nothing of the file is kept", async () => {
    using box = new Sandbox();
    box.write("in.json", `{"small":2,"big":"${"x".repeat(100 * MIB)}"}`);
    await box.run(["state", "set", "small", "1"]);
    const refused = await box.run(["state", "import", "in.json", "--merge"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("the value must be at most 10000000 bytes: 104857602");
    expect(refused.stderr).toContain(
      "Next: Save it in parts, or raise runtime.state_persistence.max_state_size_bytes",
    );
    expect((await box.run(["state", "show"])).stdout).toBe("State keys (1 total):\n  global:small = 1\n");
  });
});

describe("A database that another program keeps busy", () => {
  const BUSY = (box: Sandbox) => `Cannot use the database: other processes keep it busy: ${database(box)}`;
  const IMPATIENT = "[runtime]\ndatabase_timeout_seconds = 1\n";

  async function busyBox(): Promise<Sandbox & { other: Database }> {
    const box = new Sandbox();
    box.write("c.toml", IMPATIENT);
    await box.run(["state", "set", "k", "1"]);
    return Object.assign(box, { other: new Database(database(box)) });
  }

  test("is read meanwhile, and refuses a write after database_timeout_seconds", async () => {
    using box = await busyBox();
    box.other.run("BEGIN IMMEDIATE");
    const startedMs = performance.now();
    const refused = await box.run(["-c", "c.toml", "state", "set", "k", "2"]);
    expect(performance.now() - startedMs).toBeGreaterThan(1000);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `Error: State set error: ${BUSY(box)}\n  Next: See which programs have the file open, and try again\n`,
    ]);
    const script = await box.lua(
      `print(State.load("global", "k")) print(pcall(State.save, "global", "k", 3))`,
      {
        args: ["-c", "c.toml"],
      },
    );
    expect(script.stdout).toBe(`1\nfalse\t${BUSY(box)}\n`);
    box.other.run("COMMIT");
    box.other.close();
    expect((await box.run(["-c", "c.toml", "state", "set", "k", "4"])).code).toBe(0);
    expect((await box.run(["state", "get", "k"])).stdout).toBe("4\n");
  });

  test("for itself alone says so to readers too", async () => {
    using box = await busyBox();
    box.other.run("PRAGMA locking_mode = EXCLUSIVE");
    box.other.run("BEGIN EXCLUSIVE");
    const refused = await box.run(["-c", "c.toml", "state", "get", "k"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(BUSY(box));
    box.other.run("COMMIT");
    box.other.close();
    expect((await box.run(["state", "get", "k"])).stdout).toBe("1\n");
  });
});

describe("A database that is not as it should be", () => {
  const FILL = `for i = 1, 300 do State.save("global", "k" .. i, {i = i, text = tostring(i * 7919):rep(30)}) end`;
  const COMMANDS = [
    ["state", "get", "k1"],
    ["state", "set", "k1", "1"],
    ["state", "list"],
    ["backup", "create"],
    ["exec", `return State.load("global", "k1")`],
  ];

  test.each([
    ["by half", (size: number) => size / 2],
    ["after its first page", () => 4096],
    ["within its first page", () => 100],
  ])("because it was cut off %s is named with what to do, and can be repaired", async (_, left) => {
    using box = new Sandbox();
    await box.lua(FILL);
    truncateSync(database(box), left(statSync(database(box)).size));
    for (const args of COMMANDS) {
      const refused = await box.run(args);
      expect([args, refused.code]).toEqual([args, 1]);
      expect(refused.stderr).toMatch(/it is (damaged|no database): .*llmspell\.db/);
      expect(refused.stderr).toContain("`llmspell state repair` keeps what can be read of it");
      expect(refused.stderr).not.toContain("This is a bug");
    }
    expect((await box.run(["state", "repair"])).code).toBe(0);
    expect((await box.run(["state", "set", "new", "1"])).code).toBe(0);
    expect((await box.run(["state", "get", "new"])).stdout).toBe("1\n");
  });

  test("because a newer version made it is refused by name, and left as it is", async () => {
    using box = new Sandbox();
    await box.lua(FILL);
    const db = new Database(database(box));
    db.run("INSERT INTO migration VALUES (99, '0099_of_the_future', '2030-01-01')");
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    db.close();
    const before = await Bun.file(database(box)).bytes();
    for (const args of COMMANDS) {
      const refused = await box.run(args);
      expect([args, refused.code]).toEqual([args, 1]);
      expect(refused.stderr).toContain(
        `it was made by a newer version of llmspell (0099_of_the_future): ${database(box)}`,
      );
      expect(refused.stderr).toContain("Use that version, or another data directory (LLMSPELL_HOME)");
    }
    expect(Bun.deepEquals(await Bun.file(database(box)).bytes(), before)).toBe(true);
  });
});

describe("State under another key", () => {
  const keyOf = (byte: number) => ({ LLMSPELL_STATE_KEY: Buffer.alloc(32, byte).toString("base64") });
  const [mine, other] = [keyOf(1), keyOf(2)];
  const ENCRYPTED = "[runtime.state_persistence.encryption]\nenabled = true\n";

  test("is listed, and refused where it is read; what is written under both stays apart", async () => {
    using box = new Sandbox();
    box.write("c.toml", ENCRYPTED);
    const state = (env: Record<string, string>, ...args: string[]) =>
      box.run(["-c", "c.toml", ...args], { env });
    await state(mine, "state", "set", "k", "words");
    for (const args of [
      ["state", "get", "k"],
      ["state", "show"],
      ["state", "export", "all.json"],
    ]) {
      const refused = await state(other, ...args);
      expect([args, refused.code]).toEqual([args, 1]);
      expect(refused.stderr).toContain("it was encrypted with another key");
      expect(refused.stderr).toContain("Next: ");
      expect(refused.stderr).not.toContain("words");
    }
    expect(await Bun.file(join(box.cwd, "all.json")).exists()).toBe(false);
    await state(other, "state", "set", "other", "more");
    expect((await state(other, "state", "get", "other")).stdout).toBe('"more"\n');
    expect((await state(mine, "state", "get", "k")).stdout).toBe('"words"\n');
  });

  test.each([
    ["too short", "c2hvcnQ="],
    ["no base64", "not a key at all!"],
    ["empty", ""],
  ])("that is %s is refused before anything is written", async (_, key) => {
    using box = new Sandbox();
    box.write("c.toml", ENCRYPTED);
    const refused = await box.run(["-c", "c.toml", "state", "set", "k", "words"], {
      env: { LLMSPELL_STATE_KEY: key },
    });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("LLMSPELL_STATE_KEY");
    expect(refused.stderr).toContain("Next: ");
    expect((await box.run(["state", "list"])).stdout).toBe("No state keys found\n");
  });
});
