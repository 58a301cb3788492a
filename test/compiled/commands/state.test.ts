/** spec/cli.md section 10. */

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";

let box: Sandbox;
beforeEach(() => {
  box = new Sandbox();
});
afterEach(() => box[Symbol.dispose]());

const state = (...args: string[]) => box.run(["state", ...args]);
const text = async (...args: string[]) => {
  const { stdout, stderr, code } = await state(...args);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
};
const json = async (...args: string[]) => JSON.parse(await text(...args, "--output", "json"));

const VALUES = `State.save("global", "name", "spell") State.save("user:bob", "theme", {dark = true, password = "hunter2"})
State.agent_set("helper", "mood", "curious") State.save("workflow:w", "step", {1, 2})
State.save("free", "k", {big = math.maxinteger, bytes = "\\xff"}) State.save("session:s_1", "api_token", "t")`;
const KEYS = [
  "agent:helper:mood",
  "free:k",
  "global:name",
  "session:s_1:api_token",
  "user:bob:theme",
  "workflow:w:step",
];

/** Marks differ in each process. */
const unmarked = (shown: string) => shown.replaceAll(/\[REDACTED\]_[0-9a-f]{8}/g, "[REDACTED]");

describe("state show", () => {
  test("says where there is nothing", async () => {
    expect(await text("show")).toBe("No state keys found\n");
    expect(await text("show", "no")).toBe("Key 'no' not found\n");
    expect(await text("show", "no", "--output", "json")).toBe("null\n");
    expect(await text("show", "--output", "json")).toBe("{}\n");
  });

  test("shows all values by storage key, without secrets", async () => {
    await box.lua(VALUES);
    expect(unmarked(await text("show"))).toBe(`State keys (6 total):
  agent:helper:mood = "curious"
  free:k = {"big":9223372036854775807,"bytes":"/w=="}
  global:name = "spell"
  session:s_1:api_token = "[REDACTED]"
  user:bob:theme = {"dark":true,"password":"[REDACTED]"}
  workflow:w:step = [1,2]
`);
    expect(Object.keys(await json("show"))).toEqual(KEYS);
    expect(await text("show", "--output", "json")).toContain('\n  "global:name": "spell",\n');
  });

  test("shows one value, by its key, with --key or with its scope", async () => {
    await box.lua(VALUES);
    expect(await text("show", "name")).toBe('Key: name\nValue: "spell"\n');
    expect(await text("show", "--key", "name")).toBe('Key: name\nValue: "spell"\n');
    expect(unmarked(await text("show", "theme", "--scope", "user:bob"))).toBe(
      'Key: theme\nValue: {"dark":true,"password":"[REDACTED]"}\n',
    );
    expect(await text("show", "user:bob:theme")).toContain('Value: {"dark":true');
    expect(await text("show", "free:k")).toContain("Value: {");
    expect(await json("show", "name")).toBe("spell");
  });

  test("shows a scope, or all components", async () => {
    await box.lua(VALUES);
    expect(await json("show", "--scope", "global")).toEqual({ name: "spell" });
    expect(await json("show", "--scope", "user:bob")).toEqual({
      theme: { dark: true, password: expect.stringMatching(/^\[REDACTED\]_[0-9a-f]{8}$/) },
    });
    expect(await json("show", "--scope", "component")).toEqual({ "agent:helper:mood": "curious" });
    expect(Object.keys(await json("show", "--scope", "session"))).toEqual(["session:s_1:api_token"]);
    expect(await json("show", "--scope", "workflow")).toEqual({ "workflow:w:step": [1, 2] });
  });
});

describe("state get, set, delete and list", () => {
  test("change what scripts see", async () => {
    expect(await text("set", "n", '{"a":[1,9007199254740993]}')).toBe("✓ Saved state key: n\n");
    expect(await json("set", "user:bob:t", "not {json")).toEqual({
      status: "success",
      message: "Saved state key: user:bob:t",
    });
    const seen = await box.lua(`print(State.load("global", "n").a[2], State.load("user:bob", "t"))`);
    expect(seen.stdout).toBe("9007199254740993\tnot {json\n");
    expect(await text("get", "n")).toBe('{"a":[1,9007199254740993]}\n');
    expect(await text("list")).toBe("global:n\nuser:bob:t\n");
    expect(await json("list", "--scope", "user:bob")).toEqual({ keys: ["t"], count: 1 });
    expect(await text("delete", "n")).toBe("✓ Deleted state key: n\n");
    expect(await text("delete", "n")).toBe("Key 'n' not found\n");
  });

  test("get gives secrets as they are, and fails where there is nothing", async () => {
    await state("set", "api_token", "t0ken");
    expect(await text("get", "api_token")).toBe('"t0ken"\n');
    const missing = await state("get", "no");
    expect([missing.code, missing.stderr]).toEqual([
      1,
      "Error: Key 'no' not found\n  Next: `llmspell state list` shows the keys there are\n",
    ]);
  });

  test("a key that is not allowed is refused", async () => {
    const refused = await state("set", "__x", "1");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      "State set error: Invalid format: Key cannot start with reserved prefixes",
    );
  });
});

describe("state clear", () => {
  test("removes a key, a scope, all components, everything", async () => {
    await box.lua(VALUES);
    expect(await text("clear", "name")).toBe("✓ Cleared state key: name\n");
    expect(await text("clear", "--scope", "component")).toBe("✓ Cleared all state keys of component\n");
    expect(await text("clear", "theme", "--scope", "user:bob")).toBe("✓ Cleared state key: theme\n");
    expect(Object.keys(await json("show"))).toEqual(["free:k", "session:s_1:api_token", "workflow:w:step"]);
    expect(await text("clear", "--output", "json")).toBe(
      '{"status":"success","message":"Cleared all state keys"}\n',
    );
    expect(await json("show")).toEqual({});
  });
});

describe("state export and import", () => {
  const values = () =>
    box.lua(`local v = State.load("free", "k") print(v.big == math.maxinteger, v.bytes == "\\xff", v.none, #v.list, v.f,
      State.load("user:bob", "theme").password, State.exists("global", "late"))`);

  test.each(["json", "toml"])("carry every value in a %s file of the owner's", async (format) => {
    await box.lua(`${VALUES}
      State.save("free", "k", {big = math.maxinteger, bytes = "\\xff", list = {1, {}, "é"}, f = 1.5, ["$null"] = true})
      State.save("global", "none", nil)`);
    const file = `all.${format}`;
    expect(await text("export", file, "--format", format)).toBe(`✓ Exported state to ${file}\n`);
    expect(statSync(join(box.cwd, file)).mode & 0o777).toBe(0o600);
    await box.lua(`State.save("global", "late", 1) State.delete("free", "k")`);
    expect(await json("import", file, "--merge")).toEqual({ status: "imported", path: file, merge: true });
    expect((await values()).stdout).toBe("true\ttrue\tnil\t3\t1.5\thunter2\ttrue\n");
    expect(await text("import", file)).toBe(`✓ Imported state from ${file}\n  (replaced existing state)\n`);
    expect((await values()).stdout).toBe("true\ttrue\tnil\t3\t1.5\thunter2\tfalse\n");
    expect(
      (await box.lua(`print(State.exists("global", "none"), State.load("free", "k")["$null"])`)).stdout,
    ).toBe("true\ttrue\n");
    expect(readdirSync(box.cwd).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("export says so as JSON, of a scope too", async () => {
    await box.lua(VALUES);
    expect(await text("export", "e.json", "--scope", "user:bob", "--output", "json")).toBe(
      '{"status":"exported","path":"e.json"}\n',
    );
    expect(JSON.parse(readFileSync(join(box.cwd, "e.json"), "utf8"))).toEqual({
      "user:bob:theme": { dark: true, password: "hunter2" },
    });
  });

  test.each([
    ["is not there", undefined, "Import file does not exist: in.json"],
    ["is no JSON", "{", "Cannot import state: invalid JSON: "],
    ["is no object", "[1]", "Cannot import state: it must be an object of values by key: in.json"],
    ["has a key that is not allowed", '{"ok":1,"__x":2}', "Invalid format: Key cannot start with reserved"],
  ])("a file that %s changes nothing", async (_, content, message) => {
    await state("set", "old", "1");
    if (content !== undefined) box.write("in.json", content);
    const refused = await state("import", "in.json");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(message);
    expect(await json("show")).toEqual({ "global:old": 1 });
  });
});

describe("state check and repair", () => {
  const database = () => join(box.home, ".llmspell/llmspell.db");
  const many = `for i = 1, 500 do State.save("global", ("k%03d"):format(i), {i = i, text = tostring(i * 7919):rep(30)}) end`;

  test("find a sound database sound and leave it alone", async () => {
    await box.lua(many);
    expect(await text("check")).toBe("✓ State is sound: 500 values (sqlite)\n");
    expect(await text("repair")).toBe("✓ The database is sound; nothing was changed\n");
  });

  test("keep what can be read of a database with bad pages, and the damaged file", async () => {
    await box.lua(many);
    const db = new Database(database());
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    db.run("PRAGMA journal_mode = DELETE");
    const [{ page_size }] = db.query("PRAGMA page_size").all() as [{ page_size: number }];
    db.close();
    const pages = statSync(database()).size / page_size;
    const file = openSync(database(), "r+");
    for (const page of [Math.floor(pages / 2), Math.floor(pages / 2) + 5])
      writeSync(file, new Uint8Array(page_size).fill(0xaa), 0, page_size, page * page_size);
    closeSync(file);
    const check = await state("check");
    expect(check.code).toBe(1);
    const repaired = await json("repair");
    expect(repaired.repaired).toBe(true);
    const table = (repaired.tables as { name: string; kept: number }[]).find(({ name }) => name === "state")!;
    expect(table.kept).toBeGreaterThan(400);
    expect(table.kept).toBeLessThan(500);
    expect(statSync(repaired.damaged).size).toBe(pages * page_size);
    expect(await text("check")).toBe(`✓ State is sound: ${table.kept} values (sqlite)\n`);
    // which values were lost depends on where their pages lay
    const kept = await box.lua(`
      local keys, whole = State.list_keys("global"), 0
      for _, key in ipairs(keys) do
        local value = State.load("global", key)
        if value.text == tostring(value.i * 7919):rep(30) then whole = whole + 1 end
      end
      print(whole, #keys)`);
    expect(kept.stdout).toBe(`${table.kept}\t${table.kept}\n`);
    expect((await state("set", "new", "1")).code).toBe(0);
  });

  test("repair refuses while a program has the database open", async () => {
    await box.lua(many);
    const db = new Database(database());
    db.query("SELECT count(*) FROM state").get();
    const refused = await state("repair");
    expect([refused.code, refused.stderr.split("\n")[0]]).toEqual([
      1,
      `Error: State repair error: Cannot repair the database: another program has it open: ${database()}`,
    ]);
    db.close();
  });

  test("repair says where there is no database", async () => {
    const refused = await state("repair");
    expect(refused.stderr).toContain("Cannot repair the database: there is none");
  });
});
