/** spec/lua-api.md section 4 and section 0.1. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";
import { luaTable } from "./support.ts";

const roundTrip = (value: string) => `State.save("global", "v", ${value}) return State.load("global", "v")`;

luaTable("State.save and State.load give back", {
  cases: [
    ["texts", roundTrip(`"spell é \\n"`), `"spell é \\10"`],
    ["bytes that are not UTF-8", roundTrip(`"\\xff\\0x"`), `"\xff\\0x"`.replace("\xff", "\ufffd")],
    [
      "integers of 64 bits",
      roundTrip("{math.maxinteger, math.mininteger, 2^53|0}"),
      "{9223372036854775807, -9223372036854775808, 9007199254740992}",
    ],
    ["floats, and integral ones as integers", roundTrip("{1.5, -0.25, 3.0}"), "{1.5, -0.25, 3}"],
    ["NaN and infinities as nil", roundTrip("{a = 0/0, b = 1/0, c = 1}"), "{c=1}"],
    [
      "booleans and nil",
      `State.save("global", "n", nil) return State.load("global", "n"), State.load("global", "absent")`,
      "nil nil",
    ],
    ["sequences", roundTrip(`{1, "two", {3}}`), `{1, "two", {3}}`],
    [
      "objects, number keys as texts",
      roundTrip("{[10] = 1, a = {b = {c = true}}}"),
      "{10=1, a={b={c=true}}}",
    ],
    ["empty tables", roundTrip("{e = {}, l = {{}}}"), "{e={}, l={{}}}"],
    [
      "100 tables in each other",
      `local t = "end" for _ = 1, 100 do t = {t} end State.save("global", "d", t)
      local v, n = State.load("global", "d"), 0 while type(v) == "table" do v, n = v[1], n + 1 end return v, n`,
      `"end" 100`,
    ],
    [
      "a megabyte",
      `State.save("global", "m", ("x"):rep(1000000)) return #State.load("global", "m")`,
      "1000000",
    ],
    ["a shared table twice", `local s = {1} ${roundTrip("{s, s}")}`, "{{1}, {1}}"],
  ],
});

luaTable("State refuses", {
  setup: `local function refused(...) local ok, err = pcall(...) return ok, tostring(err) end
    local cycle = {a = {}} cycle.a.b = cycle`,
  cases: [
    [
      "functions, naming the place",
      `refused(State.save, "global", "f", {a = {print}})`,
      `false "Cannot save state: "a[1]" must not be a function"`,
    ],
    [
      "tables within themselves",
      `refused(State.save, "global", "c", cycle)`,
      `false "Circular reference detected at path: a.b"`,
    ],
    [
      "coroutines",
      `refused(State.save, "global", "c", coroutine.create(print))`,
      /^false "Cannot pass a thread/,
    ],
    ["empty keys", `refused(State.save, "global", "", 1)`, `false "Invalid format: Key cannot be empty"`],
    [
      "reserved keys",
      `refused(State.save, "global", "$$x", 1)`,
      `false "Invalid format: Key cannot start with reserved prefixes __ or $$"`,
    ],
    ["empty scopes", `refused(State.load, "", "k")`, `false "Invalid format: Scope cannot be empty"`],
    [
      "a missing key",
      `refused(State.load, "global")`,
      /^false "Cannot call State.load: "key" must be a string: nil"/,
    ],
    [
      "a table as a key",
      `refused(State.set, "global", {}, 1)`,
      `false "Cannot call State.set: "key" must be a string: table"`,
    ],
    [
      "too large values",
      `refused(State.save, "global", "l", ("x"):rep(2000))`,
      `false "Cannot save state: the value must be at most 1000 bytes: 2002"`,
    ],
  ],
  config: "[runtime.state_persistence]\nmax_state_size_bytes = 1000\n",
});

luaTable("State's other functions", {
  setup: `State.save("workflow", "p:status", {output = 1})
    State.agent_set("a:b", "k", "v") State.tool_set("calc", "n", 7)
    State.set("theme", "dark") State.set("user:bob", "theme", "light") State.write("user:bob:size", 5)
    State.save("custom", ":checkpoint:pre", 1) State.save("global", "temp:t", 1)`,
  cases: [
    [
      "read a workflow's step however it is named",
      `State.workflow_get("p", "status").output, State.load("workflow:p", "status").output, State.load("custom", ":workflow:p:status").output, State.load("any", "workflow:p:status").output`,
      "1 1 1 1",
    ],
    ["list a workflow's steps", `State.workflow_list("p"), State.workflow_list("q")`, `{"status"} {}`],
    [
      "keep values of agents and tools",
      `State.agent_get("a:b", "k"), State.tool_get("calc", "n"), State.agent_get("a", "b:k")`,
      `"v" 7 nil`,
    ],
    [
      "take keys of global and keys with a scope",
      `State.get("theme"), State.read("user:bob", "theme"), State.get("user:bob:size"), State.load("user:bob", "size"), State.get("global", "theme")`,
      `"dark" "light" 5 5 "dark"`,
    ],
    ["keep keys with a colon in front", `State.load("custom", ":checkpoint:pre")`, "1"],
    [
      "list keys, sorted, whatever the colon",
      `State.list_keys("user:bob"), State.keys("user:bob:"), State.list("global"), State.list_keys("nobody")`,
      `{"size", "theme"} {"size", "theme"} {"temp:t", "theme"} {}`,
    ],
    [
      "tell whether there is a value",
      `State.exists("global", "theme"), State.exists("global", "no")`,
      "true false",
    ],
    [
      "store nil where it is the last argument",
      `State.set("user:bob", "nothing", nil) return State.exists("user:bob", "nothing"), State.load("user:bob", "nothing")`,
      "true nil",
    ],
    [
      "delete, also what is not there",
      `State.delete("global", "theme") State.delete("global", "theme") return State.load("global", "theme")`,
      "nil",
    ],
    [
      "change a value by a function",
      `return State.update("global", "n", function(n) return (n or 0) + 1 end), State.update("global", "n", function(n) return n + 1 end), State.update("global", "n", function() end), State.exists("global", "n")`,
      "1 2 nil false",
    ],
    [
      "act as one scope",
      `local mine = State.as("agent:writer") mine:save("agent:writer", "n", 1)
      mine:update("agent:writer", "n", function(n) return n + 1 end)
      local ok, err = pcall(mine.load, mine, "user:bob", "theme")
      return mine:scope(), mine:parent(), State.as("session:bob_1"):parent(), mine:load("agent:writer", "n"), mine:list_keys("agent:writer"), State.load("agent:writer", "n"), ok, tostring(err)`,
      `"agent:writer" "global" "user:bob" 2 {"n"} 2 false "Access to state denied: agent:writer may not reach user:bob"`,
    ],
    [
      "leave the value where the function raises",
      `State.save("global", "k", 1) local ok, err = pcall(State.update, "global", "k", function() error("on purpose", 0) end) return ok, tostring(err), State.load("global", "k")`,
      /^false ".*on purpose.*" 1$/,
    ],
    [
      "are absent where their feature is off",
      "State.migrate, State.get_migration_status, State.create_backup, State.list_backups",
      "nil nil nil nil",
    ],
  ],
});

luaTable("State that is switched off", {
  config: "[runtime.state_persistence]\nenabled = false\n",
  cases: [["is nil", "State", "nil"]],
});

describe("State from one run to the next", () => {
  const runs = async (config: string, env: Record<string, string> = {}) => {
    using box = new Sandbox();
    box.write("c.toml", `[runtime.state_persistence]\n${config}`);
    const script = `print(State.update("global", "n", function(n) return (n or 0) + 1 end))`;
    const outputs: string[] = [];
    for (let run = 0; run < 2; run++)
      outputs.push((await box.lua(script, { args: ["-c", "c.toml"], env })).stdout);
    return outputs.join("");
  };

  test("stays by default, in a database that only its owner may read", async () => {
    using box = new Sandbox();
    await box.lua(`State.save("global", "k", "kept")`);
    expect((await box.lua(`print(State.load("global", "k"))`)).stdout).toBe("kept\n");
    expect(Bun.file(`${box.home}/.llmspell/llmspell.db`).size).toBeGreaterThan(0);
  });

  test.each(["sqlite", "sled", "rocksdb", "file"])("stays with the backend %s", async (backend) => {
    expect(await runs(`backend_type = "${backend}"`)).toBe("1\n2\n");
  });

  test("is gone with the backend memory, and leaves no file", async () => {
    expect(await runs('backend_type = "memory"')).toBe("1\n1\n");
  });

  test("stays encrypted with a key of the environment, which scripts cannot read", async () => {
    using box = new Sandbox();
    box.write("c.toml", "[runtime.state_persistence.encryption]\nenabled = true\n");
    const env = { LLMSPELL_STATE_KEY: Buffer.alloc(32, 1).toString("base64") };
    const run = (lua: string, more = env) => box.lua(lua, { args: ["-c", "c.toml"], env: more });
    await run(`State.save("global", "k", "plain words")`);
    expect((await run(`print(State.load("global", "k"), os.getenv("LLMSPELL_STATE_KEY"))`)).stdout).toBe(
      "plain words\tnil\n",
    );
    for (const file of ["llmspell.db", "llmspell.db-wal"]) {
      const text = await Bun.file(`${box.home}/.llmspell/${file}`)
        .text()
        .catch(() => "");
      expect(text).not.toContain("plain words");
    }
    const other = { LLMSPELL_STATE_KEY: Buffer.alloc(32, 2).toString("base64") };
    const refused = await run(`print(pcall(State.load, "global", "k"))`, other);
    expect(refused.stdout).toContain("it was encrypted with another key");
    expect((await run(`print(State.load("global", "k"))`)).stdout).toBe("plain words\n");
  });

  test("a script that uses no state makes no database", async () => {
    using box = new Sandbox();
    await box.lua("print(1)");
    expect(await Bun.file(`${box.home}/.llmspell/llmspell.db`).exists()).toBe(false);
  });
});
