/**
 * The one database of a data directory (SQLite, WAL). Several processes may have it open; writers take turns. What a
 * write has acknowledged survives the end of the process at any moment.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { ioError } from "../core/io-error.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";

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
/** After this a writer that never had its turn gives up. */
const BUSY_LIMIT_MS = 60_000;

export interface Storage {
  /** The file, or `:memory:`. */
  readonly path: string;
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
 * @throws SpellError io, config (made by a newer version)
 */
export async function openStorage(
  place: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<Storage> {
  const path = place === ":memory:" ? place : join(place, DATABASE_FILE);
  const storage = new SqliteStorage(path, await whenFree(path, () => open(place, path)));
  try {
    await migrate(storage, migrations);
  } catch (error) {
    storage.close();
    throw error;
  }
  return storage;
}

function open(place: string, path: string): Database {
  // What is stored is its owner's alone.
  const umask = process.umask(0o077);
  let db: Database | undefined;
  try {
    if (place !== ":memory:") mkdirSync(place, { recursive: true });
    db = new Database(path, { create: true, strict: true });
    db.run(`PRAGMA busy_timeout = ${BUSY_LIMIT_MS}`);
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
    return whenFree(this.path, () => {
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
async function whenFree<T>(path: string, work: () => T): Promise<T> {
  let deadlineMs: number | undefined;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      deadlineMs ??= performance.now() + BUSY_LIMIT_MS;
      if (performance.now() > deadlineMs)
        throw new SpellError("limit", `Cannot use the database: other processes keep it busy: ${path}`, {
          hint: "See which programs have the file open, and try again",
        });
      await Bun.sleep(Math.random() * BUSY_PAUSE_MS);
    }
  }
}

async function migrate(storage: Storage, migrations: readonly Migration[]): Promise<void> {
  const isCurrent = storage.read((db) => {
    const table = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'migration'").get();
    return table !== null && applied(db).length === migrations.length;
  });
  if (isCurrent) return checkKnown(storage.path, storage.read(applied), migrations);
  await storage.write((db) => {
    db.run(
      "CREATE TABLE IF NOT EXISTS migration (place INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)",
    );
    const done = applied(db);
    checkKnown(storage.path, done, migrations);
    for (const [i, { name, sql }] of migrations.entries()) {
      if (i < done.length) continue;
      db.run(sql);
      db.query("INSERT INTO migration VALUES (?, ?, ?)").run(i + 1, name, new Date().toISOString());
    }
  });
}

const applied = (db: Database): string[] =>
  (db.query("SELECT name FROM migration ORDER BY place").all() as { name: string }[]).map(({ name }) => name);

/** @throws SpellError config for a database that has steps which this version does not know */
function checkKnown(path: string, done: readonly string[], migrations: readonly Migration[]): void {
  const strange = done.find((name, i) => migrations[i]?.name !== name);
  if (strange === undefined) return;
  throw new SpellError(
    "config",
    `Cannot open the database: it was made by a newer version of llmspell (${strange}): ${path}`,
    { hint: "Use that version, or another data directory (LLMSPELL_HOME)" },
  );
}

const isBusy = (error: unknown): boolean =>
  error instanceof SQLiteError && (error.code?.startsWith("SQLITE_BUSY") ?? false);

const REPAIR = "`llmspell state repair` keeps what can be read of it, and the damaged files";
const REASONS: Record<string, readonly [string, string?]> = {
  SQLITE_FULL: ["the disk is full", "Free some space and try again"],
  SQLITE_READONLY: ["it is read-only", "Check the owner and the mode of the file and its directory"],
  SQLITE_CANTOPEN: [
    "it cannot be opened",
    "Check the owner and the mode of the directory, or set LLMSPELL_HOME",
  ],
  SQLITE_PERM: ["the operating system refuses access"],
  SQLITE_CORRUPT: ["it is damaged", REPAIR],
  SQLITE_NOTADB: ["it is no database", REPAIR],
  // The file beside it gets its full size at once; why that failed, SQLite does not say.
  SQLITE_IOERR_SHMSIZE: [
    "the disk reports an error, most likely that the disk is full",
    "Free some space and try again",
  ],
  SQLITE_IOERR: [
    "the disk reports an error",
    "See that it has free space, and what the system's log says of it",
  ],
};

function storageError(action: string, path: string, error: unknown): unknown {
  if (!(error instanceof SQLiteError))
    return error instanceof SpellError ? error : asIoError(action, path, error);
  const kind = Object.keys(REASONS).find((code) => error.code?.startsWith(code));
  const [reason, hint] = (kind === undefined ? undefined : REASONS[kind]) ?? [error.message];
  return new SpellError("io", `${action}: ${reason}: ${path}`, {
    data: { path, sqlite: error.code },
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

/** Errors of the caller's own work pass as they are. */
const asIoError = (action: string, path: string, error: unknown): unknown =>
  typeof (error as { errno?: unknown } | null)?.errno === "number" ? ioError(action, path, error) : error;
