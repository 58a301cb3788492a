/** What is written under faults: for the soak `fault`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "../../support/cli.ts";
import { SESSIONS } from "./writers.ts";

export interface FaultyWriter {
  name: string;
  /** Configuration beside the defaults, TOML. */
  config?: string;
  /** Lua that makes the old values, without faults. */
  before: string;
  /** What else there must be before, without faults. */
  prepare?(box: Sandbox): Promise<void>;
  /** Lua: `step(NAME, function)` for every write; each is printed as `ok NAME` or `failed NAME MESSAGE`. */
  writes?: string;
  /** In place of `writes`: a command that is one step. */
  command?: { step: string; args: readonly string[] };
  /** Lua that prints a JSON object with a value for each step: `old` or `new`, anything else is neither. */
  after?: string;
  /** In place of `after`. */
  found?(box: Sandbox, what: string): Promise<Record<string, string>>;
}

export const PREAMBLE = `local function step(name, write)
  local ok, message = pcall(write)
  print(ok and "ok" or "failed", name, ok and "" or tostring(message))
end
local function long(word) local t = {} for i = 1, 3000 do t[i] = word .. i * 7919 % 1000003 end return table.concat(t) end
local function which(value, old, new) return value == old and "old" or value == new and "new" or "neither" end
`;

const state: FaultyWriter = {
  name: "state",
  before: `State.save("global", "short", "old") State.save("global", "long", long("old")) State.save("global", "gone", "old")
    State.save("global", "count", 1)`,
  writes: `step("short", function() State.save("global", "short", "new") end)
    step("long", function() State.save("global", "long", long("new")) end)
    step("gone", function() State.delete("global", "gone") end)
    step("count", function() State.update("global", "count", function(n) return n + 1 end) end)`,
  after: `local function load(key) return State.load("global", key) end
    print(JSON.stringify({short = which(load("short"), "old", "new"), long = which(load("long"), long("old"), long("new")),
      gone = which(load("gone"), "old", nil), count = which(load("count"), 1, 2)}))`,
};

const SESSION = "11111111-1111-4111-8111-111111111111";
const MADE = "22222222-2222-4222-8222-222222222222";

const sessions: FaultyWriter = {
  name: "sessions",
  config: SESSIONS,
  before: `local id = Session.create({id = "${SESSION}", name = "kept", tags = {"old"}})
    Session.set_state(id, "v", long("old")) Session.save(id)`,
  writes: `local id = "${SESSION}"
    step("value", function() Session.set_state(id, "v", long("new")) end)
    step("tags", function() Session.set_tags(id, {"new"}) end)
    step("made", function() Session.create({id = "${MADE}", name = "made", description = long("new")}) end)
    step("status", function() Session.suspend(id) end)`,
  after: `local id = "${SESSION}"
    local info = Session.get(id)
    local ok, made = pcall(Session.get, "${MADE}")
    print(JSON.stringify({value = which(Session.get_state(id, "v"), long("old"), long("new")), tags = info.tags[1],
      made = which(ok and made.description or nil, nil, long("new")), status = which(info.status, "active", "suspended")}))`,
};

/** More than the database holds itself, and nothing that can be compressed. */
const LARGE = `local function large()
  math.randomseed(7)
  local t = {}
  for i = 1, 300000 do t[i] = string.char(math.random(0, 255)) end
  return table.concat(t)
end
`;

const artifacts: FaultyWriter = {
  name: "artifacts",
  config: SESSIONS,
  before: `${LARGE}local id = Session.create({id = "${SESSION}"})
    Artifact.store(id, "note", "kept", long("old")) Artifact.store(id, "note", "gone", large())`,
  writes: `${LARGE}local id, content = "${SESSION}", large() .. "more"
    local gone = Artifact.query({session_id = id, name_pattern = "gone"})[1].id
    step("kept", function() Artifact.store(id, "note", "kept", long("new")) end)
    step("large", function() Artifact.store(id, "note", "large", content) end)
    step("gone", function() Artifact.delete(id, gone) end)`,
  after: `${LARGE}local id = "${SESSION}"
    local function newest(name)
      local found = Artifact.query({session_id = id, name_pattern = name})
      return #found > 0 and Artifact.get(id, found[#found].id).content or nil
    end
    print(JSON.stringify({kept = which(newest("kept"), long("old"), long("new")), large = which(newest("large"), nil, large() .. "more"),
      gone = which(newest("gone"), large(), nil)}))`,
};

const events: FaultyWriter = {
  name: "events",
  config: "[events.persistence]\nenabled = true\n",
  before: `Event.publish("soak.old", {text = long("old")}) Event.flush()`,
  writes: `for _, name in ipairs({"first", "second"}) do
      step(name, function() Event.publish("soak." .. name, {text = long(name)}) Event.flush() end)
    end`,
  after: `local function text(name)
      local found = Event.history({pattern = "soak." .. name})
      return #found < 2 and found[1] and found[1].data.text or #found > 1 and "twice" or nil
    end
    assert(text("old") == long("old"), "an old event is lost")
    print(JSON.stringify({first = which(text("first"), nil, long("first")), second = which(text("second"), nil, long("second"))}))`,
};

const BACKUPS = `[runtime.state_persistence]
migration_enabled = true
backup_enabled = true
[runtime.state_persistence.backup]
backup_dir = "~/.llmspell/backups"
`;
const SURE = "local function sure(result) assert(result.success, result.error) return result end\n";

/** One is made, and the one that was there is restored; the safety backup of that has a description. */
const backups: FaultyWriter = {
  name: "backups",
  config: BACKUPS,
  before: `${SURE}State.save("global", "v", "new") State.save("global", "long", long("new"))
    sure(State.create_backup())
    State.save("global", "v", "old") State.delete("global", "long")`,
  writes: `${SURE}local first = State.list_backups()[1].id
    step("made", function() sure(State.create_backup()) end)
    step("restored", function() sure(State.restore_backup(first)) end)`,
  after: `local made = 0
    for _, backup in ipairs(State.list_backups()) do
      local report = State.validate_backup(backup.id)
      assert(report.is_valid, report.error)
      if not backup.description then made = made + 1 end
    end
    local v, text = State.load("global", "v"), State.load("global", "long")
    local whole = v == "old" and text == nil or v == "new" and text == long("new")
    print(JSON.stringify({made = which(made, 1, 2), restored = whole and v or "half"}))`,
};

const SCHEMAS = {
  "1.0.0": { fields: { name: { field_type: "string" } } },
  "1.1.0": {
    fields: { title: { field_type: "string" } },
    transformations: [
      {
        from_schema_version: "1.0.0",
        field_transforms: [{ type: "Copy", from_field: "name", to_field: "title" }],
      },
    ],
  },
};

const migration: FaultyWriter = {
  name: "migration",
  config: BACKUPS,
  before: `for i = 1, 60 do State.save("global", "k" .. i, {name = "spell " .. i}) end`,
  async prepare(box) {
    const directory = join(box.home, ".llmspell/schemas");
    mkdirSync(directory, { recursive: true });
    for (const [version, schema] of Object.entries(SCHEMAS))
      writeFileSync(join(directory, `${version}.json`), JSON.stringify({ version, ...schema }));
  },
  writes: `${SURE}step("migrated", function() sure(State.migrate("1.1.0")) end)`,
  after: `local counts, version = {name = 0, title = 0}, State.get_migration_status().current_version
    for i = 1, 60 do
      local value = State.load("global", "k" .. i)
      for field, text in pairs(value) do
        assert(text == "spell " .. i, "another text")
        counts[field] = counts[field] + 1
      end
    end
    local seen = version .. " " .. counts.name .. " " .. counts.title
    print(JSON.stringify({migrated = which(seen, "1.0.0 60 0", "1.1.0 0 60")}))`,
};

export const faultyWriters: readonly FaultyWriter[] = [
  state,
  sessions,
  artifacts,
  events,
  backups,
  migration,
];
