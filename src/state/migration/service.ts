/** Migrations of stored state to other schema versions: spec/agents-workflows-rag.md section 9.4. */
import type { SnapshotEntry } from "../backup/snapshot-file.ts";
import type { CustomTransformer } from "./functions.ts";
import type { MigrationPlan } from "./plan.ts";

export type ValidationLevel = "None" | "Basic" | "Strict" | "Paranoid";

export interface MigrateOptions {
  /** Do everything but the change. */
  dryRun?: boolean;
  /** Default: `backup_on_migration`. */
  createBackup?: boolean;
  /** Records between two looks at time and interruption. Default 100. */
  batchSize?: number;
  /** Default Strict. */
  validationLevel?: ValidationLevel;
  /** Default 300 s. */
  timeoutMs?: number;
  /** Functions that Custom transforms and rules name, beside the built-in ones. */
  transformers?: Readonly<Record<string, CustomTransformer>>;
  signal?: AbortSignal;
}

export interface Migrated {
  status: "completed" | "already_current";
  fromVersion: string;
  toVersion: string;
  /** Records that have the new version now, or would have. */
  itemsMigrated: number;
  /** Records of which a field changed. */
  itemsChanged: number;
  durationMs: number;
  warnings: string[];
  backupId: string | undefined;
  dryRun: boolean;
  plan: MigrationPlan | undefined;
}

export interface MigrationStatus {
  /** Undefined where there is no schema. */
  currentVersion: string | undefined;
  totalSchemas: number;
  latestVersion: string | undefined;
  /** Versions that can be migrated to. */
  targets: string[];
  directory: string;
}

export interface MigrationService {
  /**
   * All records that the schemas apply to, in one transaction: after a failure, or the end of the process at any
   * moment, the state is the old one.
   * @throws SpellError invalid_argument, not_found, config, timeout, io
   */
  migrate(version: string, options?: MigrateOptions): Promise<Migrated>;
  /** @throws SpellError config (a schema file is wrong), io */
  status(): Promise<MigrationStatus>;
  /** Oldest first. */
  versions(): string[];
  /** Records that are stored nowhere yet, at another version. @throws as `migrate` */
  transformed(entries: readonly SnapshotEntry[], from: string, to: string): Promise<SnapshotEntry[]>;
}
