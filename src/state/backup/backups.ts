/** The backup service over state, a directory and the settings. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "../../config/schema.ts";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { LONGEST_TIMER_MS } from "../../core/pulse.ts";
import type { EventService } from "../../events/service.ts";
import type { ConfigService } from "../../kernel/services.ts";
import type { StateCipher } from "../cipher.ts";
import { stateCipher } from "../key-source.ts";
import type { MigrationService } from "../migration/service.ts";
import type { StateService } from "../service.ts";
import { chainOf, contentProblems } from "./chain.ts";
import { baseOf, writeSnapshot } from "./create.ts";
import { BackupDirectory, metaBeside, readBackup } from "./directory.ts";
import { isIncremental } from "./metadata.ts";
import { restoreState } from "./restore.ts";
import { planRetention, type RetentionPolicy } from "./retention.ts";
import type {
  BackupInfo,
  BackupService,
  CleanedUp,
  CleanupOptions,
  CreateOptions,
  Restored,
  RestoreOptions,
  StorageUsage,
  Validation,
} from "./service.ts";

export interface BackupDependencies {
  config: ConfigService;
  log: Log;
  /** Relative directories begin here. */
  cwd: string;
  state: () => Promise<StateService>;
  events: () => Promise<EventService>;
  migrations: () => Promise<MigrationService>;
  env: Record<string, string | undefined>;
}

type Settings = Config["runtime"]["state_persistence"]["backup"];

export function createBackupService(dependencies: BackupDependencies): BackupService {
  return new Backups(dependencies);
}

class Backups implements BackupService {
  constructor(private readonly dependencies: BackupDependencies) {}

  /** Backups are encrypted while state is, with its key; with the key they can always be read. */
  private async ciphers(): Promise<{ read: StateCipher; write: StateCipher | undefined }> {
    const { config, env } = this.dependencies;
    const { encryption } = config.current.runtime.state_persistence;
    const cipher = await stateCipher({ ...encryption, scopes: ["*"] }, env);
    return { read: cipher, write: encryption.enabled ? cipher : undefined };
  }

  private get settings(): Settings {
    return this.dependencies.config.current.runtime.state_persistence.backup;
  }

  private get chainLimits(): { fullEveryMs: number; maxLength: number } {
    const { full_interval_seconds, max_backups } = this.settings;
    return { fullEveryMs: full_interval_seconds * 1000, maxLength: max_backups };
  }

  private get directory(): BackupDirectory {
    const { cwd, log } = this.dependencies;
    return new BackupDirectory(resolve(cwd, this.settings.backup_dir), log);
  }

  async create(options: CreateOptions = {}): Promise<BackupInfo> {
    const { directory } = this;
    return directory.exclusively(() => this.createIn(directory, options));
  }

  async createIf(
    isDue: (newest: BackupInfo | undefined) => boolean,
    options: CreateOptions,
  ): Promise<BackupInfo | undefined> {
    const { directory } = this;
    return directory.exclusively(async () =>
      isDue(directory.list()[0]) ? this.createIn(directory, options) : undefined,
    );
  }

  private async createIn(directory: BackupDirectory, options: CreateOptions): Promise<BackupInfo> {
    const created = await this.write(directory, options);
    if (options.output === undefined)
      await this.clean(directory, this.policy(), false, [created.metadata.id]);
    return created;
  }

  /** One that is to be restored, or on which another builds, stays: retention runs after, not here. */
  private async write(directory: BackupDirectory, options: CreateOptions): Promise<BackupInfo> {
    const { incremental = false, description, output, signal } = options;
    if (output !== undefined) refuseExisting(output);
    const nowMs = Date.now();
    const id = directory.newId(nowMs);
    const { compression_enabled, compression_type, compression_level, incremental_enabled } = this.settings;
    const { read, write } = await this.ciphers();
    const { raw } = await this.dependencies.state();
    await this.publish("backup.started", { backup_id: id, incremental });
    try {
      const base =
        incremental && incremental_enabled && output === undefined
          ? await baseOf(directory.list()[0], read, this.chainLimits, nowMs)
          : undefined;
      const created = await writeSnapshot(output ?? directory.contentOf(id), {
        id,
        nowMs,
        records: await raw.backend.list(""),
        schemaVersion: raw.schemaVersion,
        base,
        description,
        compressionLevel: compression_enabled ? levelOf(compression_type, compression_level) : undefined,
        cipher: write,
        signal,
        onProgress: (done, total) => void this.publish("backup.progress", { backup_id: id, done, total }),
      });
      const { stats } = created.metadata;
      await this.publish("backup.completed", {
        backup_id: id,
        incremental: isIncremental(created.metadata),
        entry_count: stats.total_entries,
        size_bytes: stats.total_size,
        duration_ms: stats.duration_ms,
      });
      return created;
    } catch (error) {
      await this.publish("backup.failed", { backup_id: id, error: messageOf(error) });
      throw error;
    }
  }

  async list(): Promise<BackupInfo[]> {
    return this.directory.list();
  }

  async info(name: string): Promise<BackupInfo> {
    const isPath = /[/\\]/.test(name) || name.endsWith(".backup");
    return isPath ? readBackup(resolve(this.dependencies.cwd, name)) : this.directory.read(name);
  }

  async validate(name: string): Promise<Validation> {
    const result: Validation = {
      backupId: name,
      isValid: false,
      validatedAt: new Date().toISOString(),
      checksumValid: false,
      integrityValid: false,
      errors: [],
      warnings: [],
    };
    await this.publish("validation.started", { backup_id: name });
    try {
      const backup = await this.info(name);
      result.backupId = backup.metadata.id;
      const { read } = await this.ciphers();
      const chain = chainOf(backup);
      const problems = await Promise.all(chain.map((member) => contentProblems(member, read)));
      result.checksumValid = problems.every(({ checksum }) => checksum.length === 0);
      result.integrityValid = problems.every(({ integrity }) => integrity.length === 0);
      result.errors = problems.flatMap(({ checksum, integrity }) => [...checksum, ...integrity]);
      const { raw } = await this.dependencies.state();
      if (backup.metadata.schema_version !== raw.schemaVersion)
        result.warnings.push(
          `It was made at schema version ${backup.metadata.schema_version}; the state is at ${raw.schemaVersion}`,
        );
    } catch (error) {
      if (!(error instanceof SpellError) || error.code === "not_found") throw error;
      result.errors.push(error.message);
    }
    result.isValid = result.errors.length === 0;
    await this.publish("validation.completed", { backup_id: result.backupId, is_valid: result.isValid });
    return result;
  }

  async restore(name: string, options: RestoreOptions = {}): Promise<Restored> {
    const { directory } = this;
    return directory.exclusively(async () => {
      const backup = await this.info(name);
      const { id } = backup.metadata;
      await this.publish("restore.started", { backup_id: id, dry_run: options.dryRun === true });
      try {
        const state = await this.dependencies.state();
        using limit = this.restoreLimit(options.signal);
        const { signal, check } = limit;
        const restored = await restoreState(
          backup,
          { ...options, signal },
          {
            cipher: (await this.ciphers()).read,
            raw: state.raw,
            migrations: this.dependencies.migrations,
            saveCurrent: (description) => this.write(directory, { description, signal }),
            check,
            publish: (type, data) => this.publish(type, { backup_id: id, ...data }),
          },
        );
        if (!restored.dryRun) await state.changed("state_restore");
        await this.publish("restore.completed", {
          backup_id: id,
          entries_restored: restored.entriesRestored,
        });
        if (restored.safetyBackupId !== undefined)
          await this.clean(directory, this.policy(), false, [id, restored.safetyBackupId]);
        return restored;
      } catch (error) {
        await this.publish("restore.failed", { backup_id: id, error: messageOf(error) });
        throw error;
      }
    });
  }

  /** Ends a restore that takes too long, before anything has changed: what waits by the signal, what computes by `check`. */
  private restoreLimit(outer?: AbortSignal): Disposable & { signal: AbortSignal; check: () => void } {
    const { restore_timeout_seconds: seconds } = this.settings;
    const deadlineMs = performance.now() + seconds * 1000;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(tooLong(seconds)), Math.min(seconds * 1000, LONGEST_TIMER_MS));
    return {
      signal: outer === undefined ? over.signal : AbortSignal.any([over.signal, outer]),
      check() {
        outer?.throwIfAborted();
        if (performance.now() > deadlineMs) throw tooLong(seconds);
      },
      [Symbol.dispose]: () => clearTimeout(timer),
    };
  }

  async delete(id: string): Promise<void> {
    const { directory } = this;
    await directory.exclusively(async () => {
      directory.read(id);
      const children = directory.list().filter(({ metadata }) => metadata.parent_id === id);
      if (children.length > 0)
        throw new SpellError("invalid_argument", `Cannot delete backup ${id}: others build on it`, {
          data: { backup: id, children: children.map(({ metadata }) => metadata.id) },
          hint: `Delete ${children.map(({ metadata }) => metadata.id).join(", ")} first`,
        });
      await directory.remove(id);
      await this.publish("backup.deleted", { backup_id: id });
    });
  }

  async cleanup({ dryRun = false, keepCount }: CleanupOptions = {}): Promise<CleanedUp> {
    const { directory } = this;
    return directory.exclusively(() => this.clean(directory, this.policy(keepCount), dryRun, []));
  }

  private policy(maxCount = this.settings.max_backups): RetentionPolicy {
    return {
      type: "composite",
      policies: [
        { type: "time", maxAgeMs: this.settings.max_backup_age * 1000 },
        { type: "importance", from: "critical" },
        { type: "count", maxCount },
      ],
    };
  }

  /** @param spared these and what they build on stay, whatever the policy says */
  private async clean(
    directory: BackupDirectory,
    policy: RetentionPolicy,
    dryRun: boolean,
    spared: readonly string[],
  ): Promise<CleanedUp> {
    const backups = directory.list();
    const kept = backups.map(({ metadata }) => ({
      id: metadata.id,
      createdAtMs: Date.parse(metadata.created_at),
      isIncremental: isIncremental(metadata),
      parentId: metadata.parent_id,
    }));
    const { remove } = planRetention(kept, policy, Date.now(), spared);
    if (remove.length > 0 && !dryRun) await this.publish("cleanup.started", { backups: remove.length });
    let spaceFreed = 0;
    for (const id of remove) {
      spaceFreed += backups.find(({ metadata }) => metadata.id === id)!.metadata.stats.total_size;
      if (dryRun) continue;
      await directory.remove(id);
      await this.publish("backup.deleted", { backup_id: id });
    }
    const retainedCount = backups.length - remove.length;
    if (remove.length > 0 && !dryRun)
      await this.publish("cleanup.completed", {
        deleted_count: remove.length,
        retained_count: retainedCount,
        space_freed: spaceFreed,
      });
    return { deletedIds: remove, retainedCount, spaceFreed, dryRun };
  }

  async usage(): Promise<StorageUsage> {
    const backups = this.directory.list();
    const { raw } = await this.dependencies.state();
    const records = await raw.backend.list("");
    return {
      totalBackups: backups.length,
      totalSize: backups.reduce((sum, { metadata }) => sum + metadata.stats.total_size, 0),
      fullBackups: backups.filter(({ metadata }) => !isIncremental(metadata)).length,
      incrementalBackups: backups.filter(({ metadata }) => isIncremental(metadata)).length,
      oldestBackup: backups.at(-1)?.metadata.created_at,
      newestBackup: backups[0]?.metadata.created_at,
      stateBytes: records.reduce((sum, { value }) => sum + value.length, 0),
      stateEntries: records.length,
    };
  }

  private async publish(type: string, data: Record<string, unknown>): Promise<void> {
    (await this.dependencies.events()).publish({ type, data, source: "backup" });
  }
}

/** LZ4 is not built in; it means the fastest level of what is (docs/decisions.md). Undefined: none. */
function levelOf(type: Settings["compression_type"], level: number): number | undefined {
  if (type === "none") return undefined;
  return type === "lz4" ? 1 : level;
}

/** @throws SpellError already_exists */
function refuseExisting(output: string): void {
  const existing = [output, metaBeside(output)].find((path) => existsSync(path));
  if (existing === undefined) return;
  throw new SpellError("already_exists", `Cannot write the backup: the file exists already: ${existing}`, {
    data: { path: existing },
    hint: "Remove it, or name another file",
  });
}

const tooLong = (seconds: number): SpellError =>
  new SpellError("timeout", `Cannot finish the restore: it took longer than ${seconds} s`, {
    hint: "Nothing was changed; raise runtime.state_persistence.backup.restore_timeout_seconds",
  });
