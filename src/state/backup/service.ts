/** Backups of state: spec/agents-workflows-rag.md section 9.5, spec/kernel.md section 13.6. */
import type { BackupMetadata } from "./metadata.ts";

export interface BackupInfo {
  metadata: BackupMetadata;
  /** Of the `.backup` file. */
  path: string;
}

export interface CreateOptions {
  /** Only what changed since the newest backup. Where there is none to build on, the backup is full. */
  incremental?: boolean;
  description?: string;
  /** A file of its own, outside the directory of backups; full. */
  output?: string;
  signal?: AbortSignal;
}

export interface RestoreOptions {
  /** Default true. */
  verifyChecksums?: boolean;
  /** Save the present state first. Default true. */
  backupCurrent?: boolean;
  /** Restore up to here and change nothing. */
  dryRun?: boolean;
  /** Migrate what is restored to this schema version. */
  targetVersion?: string;
  signal?: AbortSignal;
}

export interface Restored {
  backupId: string;
  entriesRestored: number;
  /** The state as it was before. */
  safetyBackupId: string | undefined;
  dryRun: boolean;
}

export interface Validation {
  backupId: string;
  isValid: boolean;
  /** ISO 8601. */
  validatedAt: string;
  checksumValid: boolean;
  integrityValid: boolean;
  errors: string[];
  warnings: string[];
}

export interface CleanupOptions {
  dryRun?: boolean;
  /** Instead of `max_backups`. */
  keepCount?: number;
}

export interface CleanedUp {
  deletedIds: string[];
  retainedCount: number;
  /** Bytes. */
  spaceFreed: number;
  dryRun: boolean;
}

/** Sizes in bytes, times in ISO 8601. */
export interface StorageUsage {
  totalBackups: number;
  totalSize: number;
  fullBackups: number;
  incrementalBackups: number;
  oldestBackup: string | undefined;
  newestBackup: string | undefined;
  /** Of the present state. */
  stateBytes: number;
  stateEntries: number;
}

/** A backup is named by its id, or by the path of its `.backup` file. */
export interface BackupService {
  /** @throws SpellError io (disk full and the like), config (encryption without a key) */
  create(options?: CreateOptions): Promise<BackupInfo>;
  /** As `create`, unless the newest backup says otherwise: nobody else makes one in between. */
  createIf(
    isDue: (newest: BackupInfo | undefined) => boolean,
    options: CreateOptions,
  ): Promise<BackupInfo | undefined>;
  /** Newest first; those whose description is damaged are left out. */
  list(): Promise<BackupInfo[]>;
  /** @throws SpellError not_found, io (damaged) */
  info(name: string): Promise<BackupInfo>;
  /** What is wrong with a backup and those it builds on. @throws SpellError not_found */
  validate(name: string): Promise<Validation>;
  /**
   * Puts the state of a backup in place of the present one, in one transaction: it is the old one or the new one at
   * any moment. Other programs may go on meanwhile.
   * @throws SpellError not_found, io (damaged, and nothing was changed), config (another encryption key)
   */
  restore(name: string, options?: RestoreOptions): Promise<Restored>;
  /** @throws SpellError not_found, invalid_argument (others build on it) */
  delete(id: string): Promise<void>;
  cleanup(options?: CleanupOptions): Promise<CleanedUp>;
  usage(): Promise<StorageUsage>;
}
