/** State's functions for backups and migrations: spec/lua-api.md section 4, agents-workflows-rag.md sections 9.4 and 9.5. */
import { describe, expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

const BACKUPS = "[runtime.state_persistence]\nbackup_enabled = true\n";
const MIGRATIONS = '[runtime.state_persistence]\nmigration_enabled = true\nschema_directory = "schemas"\n';

const BACKUP_FUNCTIONS = [
  "create_backup",
  "list_backups",
  "restore_backup",
  "validate_backup",
  "get_storage_usage",
  "cleanup_backups",
];
const MIGRATION_FUNCTIONS = ["migrate", "get_migration_status", "get_schema_versions"];

/** What a script prints, line by line. */
async function printed(box: Sandbox, config: string, script: string): Promise<string[]> {
  box.write("config.toml", config);
  const done = await box.lua(script, { args: ["-c", "config.toml"] });
  expect([done.code, done.stderr]).toEqual([0, ""]);
  return done.stdout.trimEnd().split("\n");
}

describe("State", () => {
  test("has the functions of what is configured, and no others", async () => {
    using box = new Sandbox();
    const names = [...BACKUP_FUNCTIONS, ...MIGRATION_FUNCTIONS];
    const script = `for _, name in ipairs({${names.map((name) => `"${name}"`)}}) do print(type(State[name])) end`;
    const types = (are: readonly string[]) => names.map((name) => (are.includes(name) ? "function" : "nil"));
    expect(await printed(box, "", script)).toEqual(types([]));
    expect(await printed(box, BACKUPS, script)).toEqual(types(BACKUP_FUNCTIONS));
    expect(await printed(box, MIGRATIONS, script)).toEqual(types(MIGRATION_FUNCTIONS));
  });

  test("backs up and restores; the result passes for the backup's id", async () => {
    using box = new Sandbox();
    const lines = await printed(
      box,
      BACKUPS,
      `
State.save("global", "a", {deep = {1, 2.5, "\\xff\\0"}})
State.save("user:bob", "n", math.maxinteger)
local b = State.create_backup()
print(b.success, b.incremental, b.entry_count, tostring(b) == b.id, b.id == b.backup_id, ("" .. b):match("^backup_%d+_%x+$") ~= nil)
print(math.type(b.created_at), math.abs(b.created_at - os.time()) < 60)
State.save("global", "a", "changed")
State.delete("user:bob", "n")
local i = State.create_backup(true)
print(i.success, i.incremental, i.entry_count)
local list = State.list_backups()
print(#list, list[1].id == i.id, list[1].is_incremental, list[1].parent_id == b.id, list[2].parent_id)
local r = State.restore_backup(b.id)
print(r.success, r.backup_id == b.id, r.entries_restored)
local a = State.load("global", "a")
print(a.deep[2], a.deep[3] == "\\xff\\0", State.load("user:bob", "n") == math.maxinteger)
local v = State.validate_backup(i.id)
print(v.is_valid, v.backup_id == i.id, #v.errors, v.error)
local u = State.get_storage_usage()
print(u.total_backups, u.full_backups, u.incremental_backups, u.entries_count, u.total_size > 0, u.bytes_used > 0, u.newest_backup >= u.oldest_backup)
local c = State.cleanup_backups(true)
print(c.success, c.dry_run, c.deleted_count, c.retained_count, c.space_freed)
`,
    );
    expect(lines).toEqual([
      "true\tfalse\t2\ttrue\ttrue\ttrue",
      "integer\ttrue",
      "true\ttrue\t1",
      "2\ttrue\ttrue\ttrue\tnil",
      "true\ttrue\t2",
      "2.5\ttrue\ttrue",
      "true\ttrue\t0\tnil",
      "3\t2\t1\t2\ttrue\ttrue\ttrue",
      "true\ttrue\t0\t3\t0",
    ]);
  });

  test("gives failures as results", async () => {
    using box = new Sandbox();
    const lines = await printed(
      box,
      BACKUPS,
      `
local r = State.restore_backup("backup_1_00")
print(r.success, r.backup_id, r.error)
local v = State.validate_backup("backup_1_00")
print(v.is_valid, v.backup_id, v.error)
print(State.create_backup("by name").success, State.list_backups()[1].description)
print(State.restore_backup("./stolen.backup").error, State.validate_backup("/etc/passwd").error)
print(pcall(State.restore_backup))
State.create_backup()
print(State.cleanup_backups(1).deleted_count, #State.list_backups())
`,
    );
    expect(lines.slice(0, 3)).toEqual([
      "false\tbackup_1_00\tBackup not found: backup_1_00",
      "false\tbackup_1_00\tBackup not found: backup_1_00",
      "true\tby name",
    ]);
    expect(lines[3]).toBe("Backup not found: ./stolen.backup\tBackup not found: /etc/passwd");
    expect(lines[4]).toStartWith("false\t");
    expect(lines[5]).toBe("1\t1");
  });

  test("keeps max_backups after each new one", async () => {
    using box = new Sandbox();
    const config = `${BACKUPS}backup.max_backups = 3\n`;
    expect(
      await printed(box, config, "for i = 1, 6 do State.create_backup() end print(#State.list_backups())"),
    ).toEqual(["3"]);
  });

  test("migrates with Copy, Default and Remove", async () => {
    using box = new Sandbox();
    box.write(
      "schemas/a.json",
      JSON.stringify({
        version: "1.0.0",
        fields: { name: { field_type: "string" }, old: { field_type: "any" } },
      }),
    );
    box.write(
      "schemas/b.json",
      JSON.stringify({
        version: "2.0.0",
        fields: { title: { field_type: "string" }, status: { field_type: "string", default_value: "new" } },
        transformations: [
          {
            from_schema_version: "1.0.0",
            field_transforms: [
              { type: "Copy", from_field: "name", to_field: "title" },
              { type: "Custom", from_fields: ["title"], to_fields: ["title"], transformer: "shout" },
            ],
          },
        ],
      }),
    );
    const lines = await printed(
      box,
      MIGRATIONS,
      `
State.save("custom", "book", {name = "Ulysses", old = 1, kept = true})
local s = State.get_migration_status()
print(s.current_version, s.migration_available, s.total_schemas, s.latest_version, s.is_latest, table.concat(s.migration_targets, ","))
print(table.concat(State.get_schema_versions(), ","))
local failed = State.migrate("2.0.0")
print(failed.success, failed.error, failed.from_version, failed.target_version)
local options = {transformers = {shout = function(values) return {values[1]:upper() .. "!"} end}}
local m = State.migrate("2.0.0", options)
print(m.success, m.status, m.from_version, m.to_version, m.items_migrated, math.type(m.duration_ms))
local b = State.load("custom", "book")
print(b.title, b.status, b.name, b.old, b.kept)
local again = State.migrate("2.0.0")
print(again.success, again.status, again.current_version, again.target_version)
print(State.get_migration_status().is_latest)
`,
    );
    expect(lines).toEqual([
      "1.0.0\ttrue\t2\t2.0.0\tfalse\t2.0.0",
      "1.0.0,2.0.0",
      'false\tMigration failed: Unknown transformer: "shout"\t1.0.0\t2.0.0',
      "true\tcompleted\t1.0.0\t2.0.0\t1\tinteger",
      "ULYSSES!\tnew\tnil\tnil\ttrue",
      "true\talready_current\t2.0.0\t2.0.0",
      "true",
    ]);
  });

  test("says that there is no schema", async () => {
    using box = new Sandbox();
    const script = `local s = State.get_migration_status() print(s.current_version, s.migration_available, s.error ~= nil, #State.get_schema_versions())`;
    expect(await printed(box, MIGRATIONS, script)).toEqual(["unknown\tfalse\ttrue\t0"]);
  });
});
