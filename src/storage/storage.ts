/**
 * The one database of a data directory (SQLite, WAL). Several processes may have it open; writers take turns. What a
 * write has acknowledged survives the end of the process at any moment.
 */
import { Database } from "bun:sqlite";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { appliedSteps, checkKnown } from "./applied.ts";
import { isBusy, storageError } from "./failures.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";
import { isReadOnly, ReadOnlyStorage } from "./read-only.ts";

export const DATABASE_FILE = "llmspell.db";

/** How long a writer waits within SQLite, where it blocks this thread, before it waits beside it. */
const BUSY_BLOCK_MS = 3;
/**
 * The longest wait beside it. It does not grow: a write holds the lock for some microseconds, and who comes back seldom
 * is overtaken again and again.
 */
const BUSY_PAUSE_MS = 8;
/** How long a reader waits, who blocks this thread. */
const READ_LIMIT_MS = 10_000;
/** What the log may hold when nobody needs it any more. */
const LOG_KEPT_BYTES = 8 * 1024 * 1024;
/** A log that is larger is begun anew by whoever sees it: readers who follow each other without a gap keep SQLite from it. */
const LOG_BOUND_BYTES = 64 * 1024 * 1024;
const WRITES_BETWEEN_LOOKS = 256;
/** How long that may block this thread. */
const LOG_WAIT_MS = 100;
/** After this a writer that never had its turn gives up, unless it is told otherwise. */
const BUSY_LIMIT_MS = 60_000;

export interface Storage {
  /** The file, or `:memory:`. */
  readonly path: string;
  /** Nothing can be written: it is on a read-only file system, or belongs to somebody else. */
  readonly isReadOnly: boolean;
  /** Reads a consistent state; never waits for writers. */
  read<T>(work: (db: Database) => T): T;
  /**
   * One transaction: all of it is stored when the promise resolves, nothing when it rejects. `work` is synchronous and
   * may run again when another process was in the way before anything was stored.
   * @throws SpellError io (full disk, read-only, damaged), limit when other processes never give way
   */
  write<T>(work: (db: Database) => T): Promise<T>;
  close(): void;
}

/**
 * Opens the database of a data directory, makes it where there is none and brings it up to date.
 * @param place a data directory, or `:memory:`
 * @param busyLimitMs how long it, and each write, waits for other processes that keep the database busy
 * @throws SpellError io, config (made by a newer version), limit
 */
export async function openStorage(
  place: string,
  migrations: readonly Migration[] = MIGRATIONS,
  busyLimitMs = BUSY_LIMIT_MS,
): Promise<Storage> {
  const path = place === ":memory:" ? place : join(place, DATABASE_FILE);
  let db: Database;
  try {
    db = await whenFree(path, busyLimitMs, () => open(place, path, busyLimitMs));
  } catch (error) {
    if (place === ":memory:" || !(isReadOnly(path) || isReadOnly(place))) throw error;
    return new ReadOnlyStorage(path, migrations, () => emptyDatabase(migrations));
  }
  const storage = new SqliteStorage(path, db, busyLimitMs, place !== ":memory:" && isReadOnly(path));
  try {
    await migrate(storage, migrations);
  } catch (error) {
    storage.close();
    throw error;
  }
  return storage;
}

function open(place: string, path: string, busyLimitMs: number): Database {
  // What is stored is its owner's alone.
  const umask = process.umask(0o077);
  let db: Database | undefined;
  try {
    if (place !== ":memory:") mkdirSync(place, { recursive: true });
    db = new Database(path, { create: true, strict: true });
    db.run(`PRAGMA busy_timeout = ${busyLimitMs}`);
    db.run("PRAGMA journal_mode = WAL");
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA foreign_keys = ON");
    db.run(`PRAGMA journal_size_limit = ${LOG_KEPT_BYTES}`);
    db.run(`PRAGMA busy_timeout = ${BUSY_BLOCK_MS}`);
    return db;
  } catch (error) {
    db?.close();
    throw isBusy(error) ? error : storageError("Cannot open the database", path, error);
  } finally {
    process.umask(umask);
  }
}

class SqliteStorage implements Storage {
  /** Made once: making one costs more than a small read. */
  private readonly transaction;

  constructor(
    readonly path: string,
    private readonly db: Database,
    private readonly busyLimitMs: number,
    readonly isReadOnly: boolean,
  ) {
    this.transaction = db.transaction((work: (db: Database) => unknown) => work(db));
  }

  read<T>(work: (db: Database) => T): T {
    let deadlineMs: number | undefined;
    for (;;) {
      try {
        return work(this.db);
      } catch (error) {
        deadlineMs ??= performance.now() + READ_LIMIT_MS;
        // Only while another process puts the log in order that a dead one left behind.
        if (!isBusy(error) || performance.now() > deadlineMs)
          throw storageError("Cannot read the database", this.path, error);
        Bun.sleepSync(1);
      }
    }
  }

  write<T>(work: (db: Database) => T): Promise<T> {
    return whenFree(this.path, this.busyLimitMs, () => {
      try {
        const result = this.transaction.immediate(work) as T;
        if (++this.writes % WRITES_BETWEEN_LOOKS === 0) this.boundLog();
        return result;
      } catch (error) {
        throw isBusy(error) ? error : storageError("Cannot write the database", this.path, error);
      }
    });
  }

  private writes = 0;

  /** Never fails: what was written stays in the log, and the next one to look tries again. */
  private boundLog(): void {
    try {
      const bytes = statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
      if (bytes < LOG_BOUND_BYTES) return;
      this.db.run(`PRAGMA busy_timeout = ${LOG_WAIT_MS}`);
      try {
        this.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
      } finally {
        this.db.run(`PRAGMA busy_timeout = ${BUSY_BLOCK_MS}`);
      }
    } catch {
      // The write itself has been acknowledged.
    }
  }

  close(): void {
    this.db.close();
  }
}

/** Does it again while other processes keep the database busy. @throws SpellError limit when they never give way */
async function whenFree<T>(path: string, limitMs: number, work: () => T): Promise<T> {
  let deadlineMs: number | undefined;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      deadlineMs ??= performance.now() + limitMs;
      if (performance.now() > deadlineMs)
        throw new SpellError("limit", `Cannot use the database: other processes keep it busy: ${path}`, {
          hint: "See which programs have the file open, and try again",
        });
      await Bun.sleep(Math.random() * BUSY_PAUSE_MS);
    }
  }
}

async function migrate(storage: Storage, migrations: readonly Migration[]): Promise<void> {
  const done = storage.read(appliedSteps);
  if (done !== undefined) checkKnown(storage.path, done, migrations);
  if (done?.length === migrations.length) return;
  await storage.write((db) => applySteps(db, storage.path, migrations));
}

function applySteps(db: Database, path: string, migrations: readonly Migration[]): void {
  db.run(
    "CREATE TABLE IF NOT EXISTS migration (place INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)",
  );
  const done = appliedSteps(db) ?? [];
  checkKnown(path, done, migrations);
  for (const [i, { name, sql }] of migrations.entries()) {
    if (i < done.length) continue;
    db.run(sql);
    db.query("INSERT INTO migration VALUES (?, ?, ?)").run(i + 1, name, new Date().toISOString());
  }
}

function emptyDatabase(migrations: readonly Migration[]): Database {
  const db = new Database(":memory:", { strict: true });
  applySteps(db, ":memory:", migrations);
  return db;
}
