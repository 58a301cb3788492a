import { Database } from "bun:sqlite";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../src/config/load.ts";
import { createConfigService } from "../src/config/service.ts";
import { silentLog } from "../src/core/log.ts";
import { EventBus } from "../src/events/bus.ts";
import { busSettings } from "../src/events/settings.ts";
import { NO_HOOKS } from "../src/hooks/none.ts";
import { createBackupService } from "../src/state/backup/backups.ts";
import type { BackupService } from "../src/state/backup/service.ts";
import { createStateService } from "../src/state/create.ts";
import { createMigrationService } from "../src/state/migration/migrations.ts";
import { planMigration } from "../src/state/migration/plan.ts";
import { prepare } from "../src/state/migration/prepared.ts";
import { readSchemas } from "../src/state/migration/registry.ts";
import type { MigrationService } from "../src/state/migration/service.ts";
import { openStorage } from "../src/storage/storage.ts";
import { interleave, median, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ENTRIES = 100_000;
const ROUNDS = 5;
/** What the reference says that migrating an item takes it, without saying what of it. */
const REFERENCE_ITEM_US = 2;

const SCHEMAS = {
  "1.0.0": {
    fields: { name: { field_type: "string" }, age: { field_type: "string" }, old: { field_type: "any" } },
  },
  "1.1.0": {
    fields: {
      title: { field_type: "string", required: true },
      age: { field_type: "integer" },
      status: { field_type: "string", default_value: "new" },
    },
    transformations: [
      {
        from_schema_version: "1.0.0",
        field_transforms: [{ type: "Copy", from_field: "name", to_field: "title" }],
      },
    ],
  },
};

/** Moves, converts, adds and removes a field each, and is checked. */
const tableOf = (i: number) => ({ name: `name ${i}`, age: String(i % 90), old: true, note: "stays" });

async function services(scratch: Scratch) {
  const schemas = join(scratch.path, "home", "schemas");
  await Bun.write(join(schemas, "1.0.0.json"), JSON.stringify({ version: "1.0.0", ...SCHEMAS["1.0.0"] }));
  await Bun.write(join(schemas, "1.1.0.json"), JSON.stringify({ version: "1.1.0", ...SCHEMAS["1.1.0"] }));
  const configPath = join(scratch.path, "bench.toml");
  writeFileSync(configPath, "[runtime.state_persistence]\nbackup_on_migration = false\n");
  const place = { env: scratch.env, cwd: scratch.path, home: scratch.path };
  const config = createConfigService(await loadConfig({ configPath, ...place }));
  const bus = new EventBus(busSettings(config.current), silentLog);
  const home = join(scratch.path, "home");
  const storage = await openStorage(home);
  const shared = { config, log: silentLog, env: scratch.env, cwd: scratch.path, dataDirectory: home };
  const seams = { events: async () => bus, hooks: async () => NO_HOOKS };
  const state = await createStateService({ ...shared, ...seams, storage: async () => storage });
  const over = { ...shared, ...seams, state: async () => state };
  const migrations: MigrationService = createMigrationService({ ...over, backups: async () => backups });
  const backups: BackupService = createBackupService({ ...over, migrations: async () => migrations });
  return { state, storage, migrations, backups, schemas, home };
}

/** Transforms and checks alone, on values that are decoded already. In microseconds an item. */
function transforms(schemas: string): number {
  const registry = readSchemas(schemas);
  const [step] = planMigration(registry, "1.0.0", "1.1.0").steps.map((one) =>
    prepare(one, "Strict", new Map()),
  );
  const values = Array.from({ length: ENTRIES }, (_, i) => tableOf(i));
  const startedMs = performance.now();
  for (const value of values) void step!.apply(value);
  return ((performance.now() - startedMs) * 1000) / ENTRIES;
}

/** What SQLite alone takes to write a copy of the file, and to put the same rows into an empty table. */
function sqliteCopies(path: string, copy: string): { vacuumMs: number; insertMs: number } {
  using db = new Database(path, { readonly: true });
  rmSync(copy, { force: true });
  let startedMs = performance.now();
  db.run(`VACUUM INTO '${copy}'`);
  const vacuumMs = performance.now() - startedMs;
  const rows = db.query("SELECT key, value, version, timestamp_ms, schema_version FROM state").values();
  using target = new Database(copy);
  startedMs = performance.now();
  target.transaction(() => {
    target.run("DELETE FROM state");
    const insert = target.query(
      "INSERT INTO state (key, value, version, timestamp_ms, schema_version) VALUES (?, ?, ?, ?, ?)",
    );
    for (const one of rows) insert.run(...(one as string[]));
  })();
  return { vacuumMs, insertMs: performance.now() - startedMs };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** Backup, restore and migration of 100 K stored tables, in this process, over a real database. */
export async function backup(): Promise<Row[]> {
  using scratch = new Scratch();
  const { state, storage, migrations, backups, schemas, home } = await services(scratch);
  try {
    const entries = Array.from({ length: ENTRIES }, (_, i) => ({
      scope: "custom",
      key: `k${i}`,
      value: tableOf(i),
    }));
    const reset = async () => {
      await state.import(entries, true);
      await state.raw.backend.apply([{ type: "clear", prefix: "$$schema_version" }]);
      state.raw.schemaVersion = "1.0.0";
    };
    await reset();
    const { metadata } = await backups.create();
    const copy = join(scratch.path, "copy.db");
    const samples = await interleave<string, number>(ROUNDS, {
      create: () => timed(() => backups.create()),
      incremental: () => timed(() => backups.create({ incremental: true })),
      restore: () => timed(() => backups.restore(metadata.id, { backupCurrent: false })),
      vacuum: async () => sqliteCopies(join(home, "llmspell.db"), copy).vacuumMs,
      insert: async () => sqliteCopies(join(home, "llmspell.db"), copy).insertMs,
      transform: async () => transforms(schemas),
      migrate: async () => {
        await reset();
        return ((await timed(() => migrations.migrate("1.1.0"))) * 1000) / ENTRIES;
      },
    });
    const figure = (name: string) => median(samples[name]!);
    const most = (value: number) => ({ of: "ours", at: "most", value }) as const;
    return [
      row({
        name: "migration: transforms and checks, an item",
        unit: "µs",
        ours: figure("transform"),
        peer: { name: "the reference's own claim", figure: REFERENCE_ITEM_US },
        target: most(REFERENCE_ITEM_US),
      }),
      row({
        name: "migration: 100 K tables, read to commit, an item",
        unit: "µs",
        ours: figure("migrate"),
        peer: { name: "SQLite: the rows inserted", figure: (figure("insert") * 1000) / ENTRIES },
        target: most(50),
      }),
      row({
        name: "backup: 100 K entries, full",
        unit: "ms",
        ours: figure("create"),
        peer: { name: "SQLite: VACUUM INTO", figure: figure("vacuum") },
        target: most(2000),
      }),
      row({
        name: "backup: 100 K entries, nothing changed",
        unit: "ms",
        ours: figure("incremental"),
        peer: null,
        target: most(3000),
      }),
      row({
        name: "backup: 100 K entries, checked and restored",
        unit: "ms",
        ours: figure("restore"),
        peer: { name: "SQLite: the rows inserted", figure: figure("insert") },
        target: most(3000),
      }),
    ];
  } finally {
    await state.dispose();
    storage.close();
  }
}
