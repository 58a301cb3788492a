/**
 * Those who write to the data directory, as the soaks `kill`, `processes` and `fault` need them: each adds what it writes
 * and how that is judged afterwards. Scripts get ARGS[1], a number that no other run of theirs has.
 */
import { check } from "../soak.ts";

export interface Writer {
  name: string;
  /** Configuration beside the defaults, TOML. `ROUND` in it stands for the number of the run. */
  config?: string;
  /** Files below the working directory that it needs; `ROUND` in their names as in the configuration. */
  files?: Readonly<Record<string, string>>;
  /** Of its own, where it does not write into the one of the data directory. */
  database?: string;
  /**
   * Lua that writes without end and prints a line after each write that was acknowledged: what it wrote. Begins with
   * `local id = ARGS[1]`.
   */
  endless: string;
  /** Lua that prints, as one JSON document, what is there of the run with that number. */
  found: string;
  /** @throws SoakFailure where an acknowledged write is missing or a value is half there */
  judge(acknowledged: readonly string[], found: unknown, what: string): void;
}

/** The text of the i-th write: of any length from none to some pages of the database. */
const TEXT = 'local function text(i) return ("spell " .. i .. " "):rep(i * 7919 % 900) end\n';
const textOf = (i: number): string => `spell ${i} `.repeat((i * 7919) % 900);
const KEYS = 12;

interface Saved {
  i: number;
  text: string;
}

const state: Writer = {
  name: "state",
  endless: `local id = ARGS[1]
${TEXT}
local i = 0
while true do
  i = i + 1
  State.save("custom:" .. id, "k" .. i % ${KEYS}, {i = i, text = text(i)})
  State.update("custom:" .. id, "count", function(n) return (n or 0) + 1 end)
  print(i)
end`,
  found: `local scope, all = "custom:" .. ARGS[1], {}
for _, key in ipairs(State.list_keys(scope)) do all[key] = State.load(scope, key) end
print(JSON.stringify(all))`,
  judge(acknowledged, found, what) {
    const values = found as Record<string, Saved> & { count?: number };
    const done = acknowledged.length;
    check(
      acknowledged.every((line, at) => Number(line) === at + 1),
      `${what}: the script lost count`,
      acknowledged.slice(-3),
    );
    const count = values.count ?? 0;
    check(
      count === done || count === done + 1,
      `${what}: ${done} updates were acknowledged, ${count} are there`,
    );
    for (let key = 0; key < KEYS; key++) {
      const last = done - ((((done - key) % KEYS) + KEYS) % KEYS);
      const value = values[`k${key}`];
      if (last > 0) check(value !== undefined, `${what}: write ${last} is lost`);
      if (value === undefined) continue;
      check(value.i === last || value.i === done + 1, `${what}: write ${last} of k${key} is lost`, value.i);
      check(value.text === textOf(value.i), `${what}: write ${value.i} is there by half`, value.text);
    }
  },
};

/** Sessions that stay, as many as a soak makes. */
export const SESSIONS = `[runtime.sessions]
enabled = true
storage_backend = "sqlite"
max_sessions = 1000000
max_artifacts_per_session = 1000000
`;

interface FoundSession {
  name: string;
  description: string;
  status: string;
  value: number | null;
}

const sessions: Writer = {
  name: "sessions",
  config: SESSIONS,
  endless: `local id = ARGS[1]
${TEXT}
local i = 0
while true do
  i = i + 1
  local made = Session.create({name = "n" .. i, description = text(i % 300), tags = {"run" .. id}})
  Session.set_state(made, "i", i)
  if i % 2 == 0 then Session.complete(made) end
  Session.save(made)
  print(i)
end`,
  found: `local all = {}
for _, info in ipairs(Session.list({tags = {"run" .. ARGS[1]}, limit = 1000000})) do
  all[#all + 1] = {
    name = info.name, description = info.description, status = info.status, value = Session.get_state(info.id, "i"),
  }
end
print(JSON.stringify({all = all}))`,
  judge(acknowledged, found, what) {
    const done = acknowledged.length;
    const all = listOf<FoundSession>(found);
    const byName = new Map(all.map((one) => [one.name, one]));
    check(byName.size === all.length, `${what}: a session is there twice`);
    check(
      all.length === done || all.length === done + 1,
      `${what}: ${done} were made, ${all.length} are there`,
    );
    for (let i = 1; i <= done; i++) {
      const one = byName.get(`n${i}`);
      check(one !== undefined, `${what}: session ${i} is lost`);
      const status = i % 2 === 0 ? "completed" : "active";
      check(one.status === status && one.value === i, `${what}: what session ${i} became is lost`, one);
    }
    for (const { name, description } of all)
      check(description === textOf(Number(name.slice(1)) % 300), `${what}: session ${name} is there by half`);
  },
};

const artifacts: Writer = {
  name: "artifacts",
  config: SESSIONS,
  endless: `local id = ARGS[1]
${TEXT}
local session = Session.create({name = "artifacts", tags = {"run" .. id}})
local i, made = 0, {}
while true do
  i = i + 1
  made[i] = Artifact.store(session, "note", "n" .. i, text(i) .. id)
  if i % 3 == 0 then Artifact.delete(session, made[i - 2]) end
  print(i)
end`,
  found: `local all = {}
for _, info in ipairs(Session.list({tags = {"run" .. ARGS[1]}})) do
  for _, record in ipairs(Artifact.list(info.id)) do
    all[#all + 1] = {name = record.name, content = Artifact.get(info.id, record.id).content}
  end
end
print(JSON.stringify({all = all}))`,
  judge(acknowledged, found, what) {
    const done = acknowledged.length;
    const all = new Map(
      listOf<{ name: string; content: string }>(found).map((one) => [one.name, one.content]),
    );
    const isDeleted = (i: number, by: number) => i % 3 === 1 && i + 2 <= by;
    for (let i = 1; i <= done; i++) {
      const there = all.has(`n${i}`);
      if (isDeleted(i, done)) check(!there, `${what}: artifact ${i} was deleted and is there`);
      else check(there || isDeleted(i, done + 1), `${what}: artifact ${i} is lost`);
    }
    for (const [name, content] of all) {
      const i = Number(name.slice(1));
      check(i <= done + 1, `${what}: artifact ${i} is there before its time`);
      check(content.startsWith(textOf(i)), `${what}: artifact ${i} is there by half`);
    }
  },
};

const EVENTS_AT_ONCE = 5;

const events: Writer = {
  name: "events",
  config: "[events.persistence]\nenabled = true\n",
  endless: `local id = ARGS[1]
${TEXT}
local i = 0
while true do
  i = i + 1
  for n = 1, ${EVENTS_AT_ONCE} do
    Event.publish("soak.run" .. id, {number = (i - 1) * ${EVENTS_AT_ONCE} + n, text = text(i)})
  end
  Event.flush()
  print(i)
end`,
  found: `local all = {}
for _, event in ipairs(Event.history({pattern = "soak.run" .. ARGS[1], limit = 1000000})) do
  all[#all + 1] = event.data
end
print(JSON.stringify({all = all}))`,
  judge(acknowledged, found, what) {
    const done = acknowledged.length * EVENTS_AT_ONCE;
    const all = listOf<{ number: number; text: string }>(found);
    check(
      all.length >= done && all.length <= done + EVENTS_AT_ONCE,
      `${what}: ${done} events were acknowledged, ${all.length} are there`,
    );
    for (const [at, { number, text }] of all.entries()) {
      check(number === at + 1, `${what}: event ${at + 1} is lost or not in its place`, number);
      check(text === textOf(Math.ceil(number / EVENTS_AT_ONCE)), `${what}: event ${number} is there by half`);
    }
  },
};

/** Of the last that are kept: more than a life can make. */
const BACKUPS = 100_000;

/** Every fourth time the state of the backup before is put back. */
const backups: Writer = {
  name: "backups",
  config: `[runtime.state_persistence]
backup_enabled = true
[runtime.state_persistence.backup]
backup_dir = "backups/ROUND"
max_backups = ${BACKUPS}
`,
  endless: `local id = ARGS[1]
${TEXT}
local function made(result) assert(result.success, result.error) return result.id end
local i, last = 0, nil
while true do
  i = i + 1
  State.save("custom:" .. id, "k", {i = i, text = text(i)})
  local backup = made(State.create_backup(i % 3 ~= 1))
  print("made", backup)
  if i % 4 == 0 then
    made(State.restore_backup(last))
    print("restored", last)
  end
  last = backup
end`,
  found: `local scope, all = "custom:" .. ARGS[1], {}
local now = State.load(scope, "k")
for i, backup in ipairs(State.list_backups()) do
  local report = State.validate_backup(backup.id)
  local result = i <= 2 and State.restore_backup(backup.id) or nil
  all[i] = {id = backup.id, valid = report.is_valid, restored = result and (result.success and State.load(scope, "k") or false)}
end
print(JSON.stringify({now = now, all = all}))`,
  judge(acknowledged, found, what) {
    const { now } = found as { now?: Saved };
    const all = listOf<{ id: string; valid: boolean; restored?: Saved | false }>(found);
    const steps = acknowledged.map((line) => line.split("\t") as [kind: string, id: string]);
    const made = steps.flatMap(([kind, id]) => (kind === "made" ? [id] : []));
    const there = new Map(all.map((one) => [one.id, one]));
    for (const [i, id] of made.entries()) check(there.has(id), `${what}: backup ${i + 1} is lost`);
    for (const { id, valid } of all) check(valid, `${what}: backup ${id} is there and damaged`);
    for (const { id, restored } of all) {
      if (restored === undefined) continue;
      const i = made.indexOf(id) + 1 || undefined;
      check(restored !== false, `${what}: backup ${id} cannot be restored`);
      check(i === undefined || restored.i === i, `${what}: backup ${i} holds another state`, restored.i);
      check(restored.text === textOf(restored.i), `${what}: backup ${id} holds half a value`);
    }
    const done = made.length;
    // the present state: as it was saved last, or the one that was put back
    const isBack = done % 4 === 0 && done > 0;
    const allowed = new Set(steps.at(-1)?.[0] === "restored" ? [done - 1, done + 1] : [done, done + 1]);
    if (isBack) allowed.add(done - 1);
    check(now === undefined ? done === 0 : allowed.has(now.i), `${what}: the state is of another time`, {
      now: now?.i,
      done,
    });
    if (now !== undefined) check(now.text === textOf(now.i), `${what}: value ${now.i} is there by half`);
  },
};

const MIGRATED = 200;
/** Each with the field that holds the text. */
const VERSIONS = [
  ["1.0.0", "name"],
  ["1.1.0", "title"],
  ["1.2.0", "label"],
] as const;

/** Tables whose text goes from field to field, round and round. */
const migrations: Writer = {
  name: "migrations",
  config: `[runtime.state_persistence]
schema_directory = "migrated/ROUND"
migration_enabled = true
backup_on_migration = false
`,
  files: Object.fromEntries(
    VERSIONS.map(([version, field], i) => {
      const [before, other] = VERSIONS.at(i - 1)!;
      const transforms = [{ type: "Copy", from_field: other, to_field: field }];
      const fields = { n: { field_type: "integer" }, [field]: { field_type: "string" } };
      const transformations = [{ from_schema_version: before, field_transforms: transforms }];
      return [`migrated/ROUND/${version}.json`, JSON.stringify({ version, fields, transformations })];
    }),
  ),
  database: "migrated/ROUND/llmspell.db",
  endless: `local id, versions = ARGS[1], {${VERSIONS.map(([version]) => `"${version}"`).join(", ")}}
for n = 1, ${MIGRATED} do State.save("custom", "k" .. n, {n = n, name = "spell " .. n}) end
local i = 0
while true do
  i = i + 1
  local result = State.migrate(versions[i % 3 + 1])
  assert(result.success, result.error)
  print(i)
end`,
  found: `local all = {}
for _, key in ipairs(State.list_keys("custom")) do all[#all + 1] = State.load("custom", key) end
print(JSON.stringify({version = State.get_migration_status().current_version, all = all}))`,
  judge(acknowledged, found, what) {
    const { version } = found as { version: string };
    const all = listOf<{ n: number }>(found);
    const done = acknowledged.length;
    if (done > 0) check(all.length === MIGRATED, `${what}: ${all.length} of ${MIGRATED} values are there`);
    const [last, next] = [VERSIONS[done % 3]!, VERSIONS[(done + 1) % 3]!];
    const reached = [last, next].find(([known]) => known === version);
    check(reached !== undefined, `${what}: migration ${done} to ${last[0]} is lost`, version);
    for (const value of all)
      check(
        Bun.deepEquals(value, { n: value.n, [reached[1]]: `spell ${value.n}` }),
        `${what}: a value is not of version ${version}`,
        value,
      );
  },
};

/** An empty table of Lua may be written as an object. */
function listOf<T>(found: unknown): T[] {
  const { all } = found as { all: unknown };
  return Array.isArray(all) ? all : [];
}

export const writers: readonly Writer[] = [state, sessions, artifacts, events, backups, migrations];
