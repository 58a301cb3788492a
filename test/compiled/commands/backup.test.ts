/** `llmspell backup` and `llmspell state migrate`: spec/cli.md section 14, agents-workflows-rag.md sections 9.4 and 9.5. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";

async function json(box: Sandbox, ...args: string[]) {
  // In front: `backup create` has an --output of its own.
  const done = await box.run(["--output", "json", ...args]);
  expect([done.code, done.stderr]).toEqual([0, ""]);
  return JSON.parse(done.stdout);
}

const state = async (box: Sandbox) => json(box, "state", "show");

describe("llmspell backup", () => {
  test("saves, lists and restores state, and says so as JSON", async () => {
    using box = new Sandbox();
    await box.run(["state", "set", "a", "1"]);
    await box.run(["state", "set", "user:bob:theme", "dark"]);
    const created = await json(box, "backup", "create", "-d", "before the change");
    expect(created).toMatchObject({ status: "success", action: "create", entries: 2, incremental: false });
    expect(readFileSync(created.path).length).toBe(created.size_bytes);
    await box.run(["state", "set", "a", "2"]);
    await box.run(["state", "delete", "user:bob:theme"]);
    const changed = await json(box, "backup", "create", "--incremental");
    expect(changed).toMatchObject({ incremental: true, entries: 1 });

    const listed = await json(box, "backup", "list");
    expect(listed.count).toBe(2);
    expect(listed.backups[1]).toMatchObject({
      id: created.backup_id,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      type: "full",
      size_bytes: created.size_bytes,
      entry_count: 2,
      compression: "zstd",
      description: "before the change",
    });
    expect(await json(box, "backup", "restore", created.backup_id, "--dry-run")).toMatchObject({
      dry_run: true,
      entries_restored: 2,
    });
    expect(await state(box)).toEqual({ "global:a": 2 });
    expect(await json(box, "backup", "restore", created.backup_id)).toMatchObject({
      status: "success",
      action: "restore",
      backup_id: created.backup_id,
      entries_restored: 2,
      dry_run: false,
    });
    expect(await state(box)).toEqual({ "global:a": 1, "user:bob:theme": "dark" });
    const before = (await json(box, "backup", "list")).count;
    const bare = await json(box, "backup", "restore", changed.backup_id, "--no-backup");
    expect(bare.safety_backup_id ?? null).toBeNull();
    expect((await json(box, "backup", "list")).count).toBe(before);
    expect(await state(box)).toEqual({ "global:a": 2 });
  });

  test("is plain text for people", async () => {
    using box = new Sandbox();
    expect((await box.run(["backup", "list"])).stdout).toBe("No backups\n");
    const created = await box.run(["backup", "create"]);
    expect(created.stdout).toMatch(/^✓ Created full backup backup_\d+_[0-9a-f]+: 0 entries, \d+ bytes\n$/);
    const id = /backup_\d+_\w+/.exec(created.stdout)![0];
    expect((await box.run(["backup", "validate", id])).stdout).toBe(`✓ Backup ${id} is valid\n`);
    expect((await box.run(["backup", "delete", id])).stdout).toBe(`✓ Deleted backup ${id}\n`);
    expect((await box.run(["backup", "cleanup"])).stdout).toBe("✓ Deleted 0 backups (0 bytes), 0 stay\n");
  });

  test("moves state to another home as one file", async () => {
    using box = new Sandbox();
    using other = new Sandbox();
    await box.run(["state", "set", "a", '{"deep":[1,2.5,"é"]}']);
    const file = join(other.cwd, "moved.backup");
    await json(box, "backup", "create", "--output", file);
    expect(readdirSync(other.cwd).sort()).toEqual(["moved.backup", "moved.meta"]);
    await json(other, "backup", "restore", "moved.backup");
    expect(await state(other)).toEqual({ "global:a": { deep: [1, 2.5, "é"] } });
  });

  test.each([
    [["restore", "backup_1_00"], 1, "Backup not found: backup_1_00"],
    [["restore", "./absent.backup"], 1, "absent.meta"],
    [["delete", "../x"], 1, "Backup not found"],
    [["restore"], 2, "backup"],
    [["create", "--output", "json"], 2, "Cannot use --output: here it names a file: json"],
    [["list", "--limit", "0"], 2, "--limit"],
  ] as const)("refuses %j", async (args, code, text) => {
    using box = new Sandbox();
    const done = await box.run(["backup", ...args]);
    expect([done.code, done.stdout]).toEqual([code, ""]);
    expect(done.stderr).toContain(text);
  });

  test("does not pretend to save state that each process keeps for itself", async () => {
    using box = new Sandbox();
    box.write("memory.toml", '[runtime.state_persistence]\nbackend_type = "memory"\n');
    const done = await box.run(["-c", "memory.toml", "backup", "create"]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("Cannot back up state: it is kept in memory only");
  });

  test("one altered byte ends a restore with nothing changed, and its validation with exit code 1", async () => {
    using box = new Sandbox();
    await box.run(["state", "set", "a", "1"]);
    const { backup_id: id, path } = await json(box, "backup", "create");
    await box.run(["state", "set", "a", "2"]);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(path, bytes);
    for (const command of ["restore", "validate"])
      expect((await box.run(["backup", command, id])).code).toBe(1);
    expect((await box.run(["backup", "restore", id])).stderr).toContain("The checksum of");
    expect(await state(box)).toEqual({ "global:a": 2 });
  });

  test("killed at any moment of a restore, the state is the old one or the new one", async () => {
    using box = new Sandbox();
    const values = (mark: string) =>
      JSON.stringify(
        Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`global:k${i}`, `${mark}${i}`])),
      );
    box.write("old.json", values("old"));
    box.write("new.json", values("new"));
    await box.run(["state", "import", "old.json"]);
    const { backup_id: id } = await json(box, "backup", "create");
    await box.run(["state", "import", "new.json"]);

    const startedMs = performance.now();
    await box.run(["backup", "restore", id, "--no-backup"]);
    const takesMs = performance.now() - startedMs;
    const seen = new Set<string>();
    for (let round = 0; round < 8; round++) {
      await box.run(["state", "import", "new.json"]);
      const restoring = box.start(["backup", "restore", id, "--no-backup"]);
      await Bun.sleep(Math.random() * takesMs);
      restoring.kill("SIGKILL");
      await restoring.exited;
      const marks = new Set(
        Object.values((await state(box)) as Record<string, string>).map((v) => v.slice(0, 3)),
      );
      expect([round, marks.size]).toEqual([round, 1]);
      seen.add([...marks][0]!);
      expect((await box.run(["state", "check"])).code).toBe(0);
    }
    expect([...seen].filter((mark) => mark !== "old" && mark !== "new")).toEqual([]);
    expect(await json(box, "backup", "restore", id)).toMatchObject({ entries_restored: 1500 });
  }, 120_000);

  test("killed at any moment of a backup, every backup that is listed is whole", async () => {
    using box = new Sandbox();
    const values = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [`global:k${i}`, "x".repeat(i % 500)]),
    );
    box.write("values.json", JSON.stringify(values));
    await box.run(["state", "import", "values.json"]);
    for (let round = 0; round < 12; round++) {
      const creating = box.start(["backup", "create", ...(round % 2 === 0 ? ["-i"] : [])]);
      await Bun.sleep(20 + Math.random() * 120);
      creating.kill("SIGKILL");
      await creating.exited;
    }
    await json(box, "backup", "create");
    const { backups } = (await json(box, "backup", "list")) as { backups: { id: string }[] };
    for (const { id } of backups) expect((await json(box, "backup", "validate", id)).is_valid).toBe(true);
    expect(readdirSync(join(box.cwd, "backups")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  }, 120_000);

  test("many processes that back up at the same time take turns", async () => {
    using box = new Sandbox();
    await box.run(["state", "set", "a", "1"]);
    const done = await Promise.all(Array.from({ length: 6 }, () => box.run(["backup", "create", "-i"])));
    expect(done.map(({ code, stderr }) => [code, stderr])).toEqual(done.map(() => [0, ""]));
    const { backups } = (await json(box, "backup", "list")) as { backups: { id: string; type: string }[] };
    expect(backups.map(({ type }) => type).sort()).toEqual(["full", ...Array(5).fill("incremental")]);
    for (const { id } of backups) expect((await json(box, "backup", "validate", id)).is_valid).toBe(true);
  });

  test("works on the state of a kernel that runs", async () => {
    using box = new Sandbox();
    box.write("memory.toml", '[runtime.state_persistence]\nbackend_type = "memory"\n');
    const kernel = box.start(["-c", "memory.toml", "kernel", "start", "--id", "backed", "--port", "0"]);
    try {
      await until(async () => (await box.run(["kernel", "status", "backed"])).code === 0);
      const inKernel = ["--kernel", "backed"];
      await json(box, "state", "set", "a", "1", ...inKernel);
      const { backup_id: id } = await json(box, "backup", "create", ...inKernel);
      await json(box, "state", "set", "a", "2", ...inKernel);
      await json(box, "backup", "restore", id, ...inKernel);
      expect(await json(box, "state", "get", "a", ...inKernel)).toBe(1);
    } finally {
      kernel.kill("SIGTERM");
      await kernel.exited;
    }
  }, 60_000);
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await isSo()) return;
    await Bun.sleep(50);
  }
  throw new Error("it never became so");
}

const SCHEMAS = {
  "schemas/1.0.0.toml": 'version = "1.0.0"\n[fields.name]\nfield_type = "string"\n',
  "schemas/1.1.0.toml": `version = "1.1.0"
[fields.title]
field_type = "string"
[fields.status]
field_type = "string"
default_value = "new"
[[transformations]]
from_schema_version = "1.0.0"
field_transforms = [{ type = "Copy", from_field = "name", to_field = "title" }]
`,
};

function withSchemas(): Sandbox {
  const box = new Sandbox();
  for (const [name, text] of Object.entries(SCHEMAS)) box.write(name, text);
  box.write("llmspell.toml", '[runtime.state_persistence]\nschema_directory = "schemas"\n');
  return box;
}

describe("llmspell state migrate", () => {
  const named = ["-c", "llmspell.toml"];

  test("shows where state stands, tries, migrates, and saves what was before", async () => {
    using box = withSchemas();
    await box.run([...named, "state", "set", "book", '{"name":"Ulysses"}']);
    expect((await box.run([...named, "state", "migrate"])).stdout).toBe(
      "Schema version: 1.0.0\nSchemas: 1.0.0, 1.1.0\nCan be migrated to: 1.1.0\n",
    );
    const tried = await box.run([...named, "state", "migrate", "1.1.0", "--dry-run"]);
    expect(tried.stdout).toStartWith("✓ Would migrate 1 values from 1.0.0 to 1.1.0, 1 of them changed\n");
    expect(tried.stdout).toContain('Copy {"from_field":"name","to_field":"title"}');
    expect(await json(box, ...named, "state", "get", "book")).toEqual({ name: "Ulysses" });
    const done = await json(box, ...named, "state", "migrate", "1.1.0");
    expect(done).toMatchObject({
      status: "completed",
      items_migrated: 1,
      from_version: "1.0.0",
      to_version: "1.1.0",
    });
    expect(await json(box, ...named, "state", "get", "book")).toEqual({ title: "Ulysses", status: "new" });
    await json(box, ...named, "backup", "restore", done.backup_id);
    expect(await json(box, ...named, "state", "get", "book")).toEqual({ name: "Ulysses" });
  });

  test("killed at any moment, all values have the old form or all the new one", async () => {
    using box = withSchemas();
    const all = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [`global:k${i}`, { name: `n${i}` }]),
    );
    box.write("all.json", JSON.stringify(all));
    const prepare = async () => {
      for (const file of readdirSync(join(box.cwd, "schemas")))
        if (file.startsWith("llmspell.db")) rmSync(join(box.cwd, "schemas", file));
      await json(box, ...named, "state", "import", "all.json");
    };
    const migrate = [...named, "state", "migrate", "1.1.0", "--no-backup"];
    await prepare();
    const startedMs = performance.now();
    await box.run(migrate);
    const takesMs = performance.now() - startedMs;
    for (let round = 0; round < 5; round++) {
      await prepare();
      const migrating = box.start(migrate);
      await Bun.sleep(Math.random() * takesMs);
      migrating.kill("SIGKILL");
      await migrating.exited;
      const values = (await json(box, ...named, "state", "export", "out.json").then(() =>
        JSON.parse(readFileSync(join(box.cwd, "out.json"), "utf8")),
      )) as Record<string, object>;
      const forms = new Set(Object.values(values).map((value) => Object.keys(value).sort().join()));
      expect([round, Object.keys(values).length, forms.size]).toEqual([round, 1500, 1]);
      const { current_version } = await json(box, ...named, "state", "migrate");
      expect([...forms]).toEqual([current_version === "1.1.0" ? "status,title" : "name"]);
    }
  }, 120_000);

  test("refuses what leads nowhere", async () => {
    using box = withSchemas();
    for (const [version, text] of [
      ["9.0.0", "No schema for version 9.0.0"],
      ["new", "Invalid version 'new'"],
    ] as const) {
      const done = await box.run([...named, "state", "migrate", version]);
      expect(done.code).toBe(1);
      expect(done.stderr).toContain(text);
    }
  });
});
