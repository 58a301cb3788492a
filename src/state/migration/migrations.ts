/** The migration service over state and a directory of schemas. */
import { join } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";
import { matchesWildcard } from "../../core/wildcard.ts";
import type { EventService } from "../../events/service.ts";
import type { HookRunner } from "../../hooks/service.ts";
import type { ConfigService } from "../../kernel/services.ts";
import type { StateChange, StateRecord } from "../backend.ts";
import type { BackupService } from "../backup/service.ts";
import type { SnapshotEntry } from "../backup/snapshot-file.ts";
import { SCHEMA_VERSION_NOTE } from "../create.ts";
import type { RawState, StateService } from "../service.ts";
import type { CustomTransformers } from "./functions.ts";
import { type MigrationPlan, planMigration } from "./plan.ts";
import { type PreparedStep, prepare } from "./prepared.ts";
import { readSchemas, type SchemaRegistry } from "./registry.ts";
import type { Migrated, MigrateOptions, MigrationService, MigrationStatus } from "./service.ts";
import { parseVersion } from "./version.ts";

/** Records of the program itself are no business of a script's schemas. */
const OWN_RECORDS = "agent_state:";
const BATCH_SIZE = 100;
const TIMEOUT_MS = 300_000;
/** Other programs may write meanwhile: then everything is read again. */
const ATTEMPTS = 10;

export interface MigrationDependencies {
  config: ConfigService;
  /** Schemas lie in its `schemas` unless `schema_directory` is set. */
  dataDirectory: string;
  state: () => Promise<StateService>;
  backups: () => Promise<BackupService>;
  events: () => Promise<EventService>;
  hooks: () => Promise<HookRunner>;
}

export function createMigrationService(dependencies: MigrationDependencies): MigrationService {
  return new Migrations(dependencies);
}

interface Run {
  steps: readonly PreparedStep[];
  batchSize: number;
  /** @throws SpellError timeout, interrupted */
  check(): void;
}

interface Result {
  entries: SnapshotEntry[];
  /** How many have other fields than before. */
  changed: number;
}

class Migrations implements MigrationService {
  constructor(private readonly dependencies: MigrationDependencies) {}

  private get settings() {
    return this.dependencies.config.current.runtime.state_persistence;
  }

  private get directory(): string {
    return this.settings.schema_directory ?? join(this.dependencies.dataDirectory, "schemas");
  }

  private registry(): SchemaRegistry {
    return readSchemas(this.directory);
  }

  versions(): string[] {
    return this.registry().versions();
  }

  async status(): Promise<MigrationStatus> {
    const registry = this.registry();
    const { raw } = await this.dependencies.state();
    const current = registry.latest === undefined ? undefined : raw.schemaVersion;
    const others = registry.versions().filter((version) => version !== current);
    const reachable = (to: string): boolean => {
      try {
        return current !== undefined && planMigration(registry, current, to).steps.length > 0;
      } catch (error) {
        if (error instanceof SpellError) return false;
        throw error;
      }
    };
    return {
      currentVersion: current,
      totalSchemas: registry.versions().length,
      latestVersion: registry.latest,
      targets: others.filter(reachable),
      directory: this.directory,
    };
  }

  async migrate(version: string, options: MigrateOptions = {}): Promise<Migrated> {
    const startedMs = performance.now();
    const state = await this.dependencies.state();
    const { raw } = state;
    const fromVersion = raw.schemaVersion;
    parseVersion(version);
    const base = { fromVersion, toVersion: version, dryRun: options.dryRun === true };
    if (version === fromVersion)
      return {
        ...base,
        status: "already_current",
        itemsMigrated: 0,
        itemsChanged: 0,
        durationMs: 0,
        warnings: [],
        backupId: undefined,
        plan: undefined,
      };
    const data = { from_version: fromVersion, to_version: version, dry_run: base.dryRun };
    await this.publish("migration_started", data);
    try {
      const hooks = await this.dependencies.hooks();
      const done = await hooks.around(
        {
          before: "custom:pre_migration",
          after: "custom:post_migration",
          component: { type: "System", name: "state_migration" },
          data: { from: fromVersion, to: version },
        },
        () => this.run(raw, fromVersion, version, options),
      );
      if (!base.dryRun) await state.changed("state_migrate");
      const durationMs = Math.round(performance.now() - startedMs);
      await this.publish("migration_completed", {
        ...data,
        items_migrated: done.itemsMigrated,
        duration_ms: durationMs,
      });
      return { ...base, ...done, status: "completed", durationMs };
    } catch (error) {
      await this.publish("migration_failed", { ...data, error: messageOf(error) });
      // Records change in the last moment and all at once: what was undone is what was prepared.
      for (const type of ["migration_rollback_started", "migration_rollback_completed"])
        await this.publish(type, data);
      throw error;
    }
  }

  private async run(
    raw: RawState,
    from: string,
    to: string,
    options: MigrateOptions,
  ): Promise<Pick<Migrated, "itemsMigrated" | "itemsChanged" | "warnings" | "backupId" | "plan">> {
    const { dryRun = false, createBackup = this.settings.backup_on_migration } = options;
    const plan = planMigration(this.registry(), from, to);
    await this.stateMigrationHook(from, to);
    const run = runOf(plan, options);
    const backupId = createBackup && !dryRun ? await this.backup(from, to) : undefined;
    const warnings = plan.steps.flatMap((step) => step.warnings);
    for (let attempt = 1; ; attempt++) {
      const records = await raw.backend.list("");
      const { entries, changed } = await this.through(run, entriesOf(records), raw);
      const result = { itemsMigrated: entries.length, itemsChanged: changed, warnings, backupId, plan };
      if (dryRun) return result;
      const versions = new Map(records.map(({ key, version }) => [key, version]));
      const applied = await raw.backend.apply([
        ...entries.map((entry) => setting(entry, versions.get(entry.key))),
        noted(raw, to),
      ]);
      if (applied.applied) {
        raw.schemaVersion = to;
        return result;
      }
      if (attempt === ATTEMPTS)
        throw new SpellError("limit", "Cannot migrate: other programs keep writing state", {
          data: { key: applied.conflict.key },
          hint: "Migrate while they rest",
        });
    }
  }

  /** What hooks of the point may say: no. */
  private async stateMigrationHook(from: string, to: string): Promise<void> {
    const hooks = await this.dependencies.hooks();
    await hooks.around(
      {
        before: "StateMigration",
        component: { type: "System", name: "state_migration" },
        data: { from, to },
      },
      () => undefined,
    );
  }

  private async backup(from: string, to: string): Promise<string> {
    const backups = await this.dependencies.backups();
    const { metadata } = await backups.create({ description: `Before the migration from ${from} to ${to}` });
    await this.publish("migration_backup", { backup_id: metadata.id });
    return metadata.id;
  }

  /** The records that the schemas apply to, after all steps. */
  private async through(run: Run, entries: readonly SnapshotEntry[], raw: RawState): Promise<Result> {
    let all = [...entries];
    const touched = new Set<string>();
    const changed = new Set<string>();
    for (const step of run.steps) {
      const data = { from_version: step.from, to_version: step.to };
      await this.publish("migration_step_started", data);
      try {
        const next: SnapshotEntry[] = [];
        for (let i = 0; i < all.length; i += run.batchSize) {
          run.check();
          for (const entry of all.slice(i, i + run.batchSize)) {
            const migrated = await migratedEntry(step, entry, raw);
            if (migrated === undefined) continue;
            touched.add(entry.key);
            if (migrated.hasChanged) changed.add(entry.key);
            next.push(migrated.entry);
          }
          if (run.batchSize * YIELD_BATCHES > 0 && (i / run.batchSize) % YIELD_BATCHES === 0)
            await Bun.sleep(0);
        }
        all = merged(all, next);
        await this.publish("migration_validation", { ...data, items: next.length, valid: true });
        await this.publish("migration_step_completed", { ...data, items: next.length });
      } catch (error) {
        await this.publish("migration_step_failed", { ...data, error: messageOf(error) });
        throw error;
      }
    }
    return { entries: all.filter(({ key }) => touched.has(key)), changed: changed.size };
  }

  async transformed(entries: readonly SnapshotEntry[], from: string, to: string): Promise<SnapshotEntry[]> {
    const { raw } = await this.dependencies.state();
    const run = runOf(planMigration(this.registry(), from, to), {});
    return merged(entries, (await this.through(run, entries, raw)).entries);
  }

  private async publish(type: string, data: Record<string, unknown>): Promise<void> {
    (await this.dependencies.events()).publish({ type, data, source: "migration" });
  }
}

/** So often other work of this process gets its turn. */
const YIELD_BATCHES = 10;

function runOf(plan: MigrationPlan, options: MigrateOptions): Run {
  const { batchSize = BATCH_SIZE, timeoutMs = TIMEOUT_MS, validationLevel = "Strict", signal } = options;
  const registered: CustomTransformers = new Map(Object.entries(options.transformers ?? {}));
  const deadlineMs = performance.now() + timeoutMs;
  return {
    steps: plan.steps.map((step) => prepare(step, validationLevel, registered)),
    batchSize,
    check() {
      signal?.throwIfAborted();
      if (performance.now() > deadlineMs)
        throw new SpellError("timeout", `Migration timeout: it took longer than ${timeoutMs} ms`, {
          data: { limit: "migration" },
          hint: "Nothing was changed",
        });
    },
  };
}

/** Undefined for a record that the schemas do not apply to. @throws SpellError invalid_argument naming the record */
async function migratedEntry(
  step: PreparedStep,
  entry: SnapshotEntry,
  raw: RawState,
): Promise<{ entry: SnapshotEntry; hasChanged: boolean } | undefined> {
  if (entry.key.startsWith(OWN_RECORDS) || !step.appliesTo.some((glob) => matchesWildcard(glob, entry.key)))
    return undefined;
  const value = raw.decode({ key: entry.key, value: entry.data });
  if (!isPlainObject(value)) return undefined;
  try {
    const pending = step.apply(value);
    const hasChanged = typeof pending === "boolean" ? pending : await pending;
    const data = hasChanged ? raw.encode(entry.key, value) : entry.data;
    return { entry: { ...entry, data, schemaVersion: step.to }, hasChanged };
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    throw new SpellError("invalid_argument", `"${entry.key}": ${error.message}`, {
      data: { ...error.data, key: entry.key },
      hint: error.hint ?? "Nothing was changed. Correct the record or the schema, and migrate again",
      cause: error,
    });
  }
}

/** In the order of `all`, with the new ones in place of the old. */
function merged(all: readonly SnapshotEntry[], changed: readonly SnapshotEntry[]): SnapshotEntry[] {
  const byKey = new Map(changed.map((entry) => [entry.key, entry]));
  return all.map((entry) => byKey.get(entry.key) ?? entry);
}

const entriesOf = (records: readonly StateRecord[]): SnapshotEntry[] =>
  records.map(({ key, value, version, timestampMs, schemaVersion }) => ({
    key,
    data: value,
    version,
    lastModified: timestampMs,
    schemaVersion,
  }));

function setting(
  { key, data, lastModified, schemaVersion }: SnapshotEntry,
  expected: number | undefined,
): StateChange {
  const change: StateChange = { type: "set", key, value: data, timestampMs: lastModified, schemaVersion };
  return expected === undefined ? change : { ...change, expected };
}

const noted = (raw: RawState, version: string): StateChange => ({
  type: "set",
  key: SCHEMA_VERSION_NOTE,
  value: raw.encode(SCHEMA_VERSION_NOTE, version),
  schemaVersion: version,
});
