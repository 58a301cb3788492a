/** Commands that write, under faults: for the soak `fault`. */

import { Database } from "bun:sqlite";
import { closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "../../support/cli.ts";
import { check, ended } from "../soak.ts";
import type { FaultyWriter } from "./faulty-writers.ts";
import { SESSIONS } from "./writers.ts";

const GUARD_MS = 60_000;

/** Without faults. */
async function told(
  box: Sandbox,
  what: string,
  ...args: string[]
): Promise<{ code: number; stdout: string }> {
  const end = await ended(box.start(["-c", "fault.toml", ...args]), GUARD_MS, `${what}: ${args.join(" ")}`);
  check(end.code <= 1, `${what}: ${args.join(" ")}`, end);
  return end;
}

const keys: FaultyWriter = {
  name: "keys",
  before: "",
  async prepare(box) {
    for (const provider of ["openai", "groq"])
      await told(box, "keys", "keys", "add", provider, "sk-0123456789abcdefghij-0001");
  },
  command: { step: "key", args: ["keys", "add", "openai", "sk-0123456789abcdefghij-0002"] },
  async found(box, what) {
    const { stdout } = await told(box, what, "--output", "json", "keys", "list");
    const { keys } = JSON.parse(stdout) as { keys: { provider: string; masked: string }[] };
    const seen = keys.map(({ provider, masked }) => `${provider} ${masked.slice(-4)}`).join();
    if (seen === "groq 0001,openai 0001") return { key: "old" };
    return { key: seen === "groq 0001,openai 0002" ? "new" : seen };
  },
};

const stateImport: FaultyWriter = {
  name: "import of state",
  before: `for i = 1, 100 do State.save("global", "old" .. i, i) end`,
  async prepare(box) {
    const values = Array.from({ length: 100 }, (_, i) => [`global:new${i}`, { i, text: "words ".repeat(i) }]);
    box.write("in.json", JSON.stringify(Object.fromEntries(values)));
  },
  command: { step: "imported", args: ["state", "import", "in.json"] },
  after: `local old, new = 0, 0
    for _, key in ipairs(State.list_keys("global")) do
      local value = State.load("global", key)
      if key == "old" .. tostring(value) then old = old + 1
      elseif value.text == ("words "):rep(value.i) then new = new + 1 end
    end
    print(JSON.stringify({imported = which(old .. " " .. new, "100 0", "0 100")}))`,
};

const MOVED = "11111111-1111-4111-8111-111111111111";

const sessionImport: FaultyWriter = {
  name: "import of a session",
  config: SESSIONS,
  before: `local id = Session.create({id = "${MOVED}", name = "moved"})
    Session.set_state(id, "v", long("value"))
    Artifact.store(id, "note", "small", "words") Artifact.store(id, "note", "long", long("artifact"))
    math.randomseed(7)
    local t = {} for i = 1, 300000 do t[i] = string.char(math.random(0, 255)) end
    Artifact.store(id, "note", "large", table.concat(t))`,
  async prepare(box) {
    await told(box, "import", "session", "export", MOVED, "moved.tar");
    await told(box, "import", "session", "delete", MOVED);
  },
  command: { step: "imported", args: ["session", "import", "moved.tar"] },
  after: `local ok, info = pcall(Session.get, "${MOVED}")
    local seen = "none"
    if ok then
      seen = info.name .. " " .. tostring(Session.get_state(info.id, "v") == long("value"))
      for _, record in ipairs(Artifact.list(info.id)) do seen = seen .. " " .. #Artifact.get(info.id, record.id).content end
    end
    print(JSON.stringify({imported = which(seen, "none", "moved true 5 " .. #long("artifact") .. " 300000")}))`,
};

const VALUES = 300;

const repair: FaultyWriter = {
  name: "repair",
  before: `for i = 1, ${VALUES} do State.save("global", ("k%03d"):format(i), {i = i, text = tostring(i * 7919):rep(30)}) end`,
  async prepare(box) {
    const path = join(box.home, ".llmspell/llmspell.db");
    const db = new Database(path);
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const [{ page_size }] = db.query("PRAGMA page_size").all() as [{ page_size: number }];
    db.close();
    for (const companion of ["-wal", "-shm"]) rmSync(path + companion, { force: true });
    const file = openSync(path, "r+");
    const page = Math.floor(statSync(path).size / page_size / 2);
    writeSync(file, new Uint8Array(page_size).fill(0xaa), 0, page_size, page * page_size);
    closeSync(file);
  },
  command: { step: "repaired", args: ["state", "repair"] },
  async found(box, what) {
    const checked = await told(box, what, "state", "check");
    // whatever it is, it can be repaired now, and has what was readable before
    const { code } = await told(box, what, "state", "repair");
    const { stdout } = await told(box, what, "--output", "json", "state", "show");
    const values = Object.values(JSON.parse(stdout)) as { i: number; text: string }[];
    const whole = values.filter(({ i, text }) => text === String(i * 7919).repeat(30)).length;
    check(code === 0, `${what}: it cannot be repaired afterwards`);
    check(whole === values.length && whole > VALUES * 0.8, `${what}: values are lost`, {
      whole,
      all: values.length,
    });
    return { repaired: checked.code === 0 ? "new" : "old" };
  },
};

export const faultyCommands: readonly FaultyWriter[] = [keys, stateImport, sessionImport, repair];
