/**
 * The database of a data directory that may not be written: a read-only file system, or somebody else's files. It is read as
 * it is, and every write says why it fails; where there is none, an empty one stands for it.
 */
import { constants, Database } from "bun:sqlite";
import { accessSync, constants as modes, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { SpellError } from "../core/errors.ts";
import { errnoOf } from "../core/io-error.ts";
import { appliedSteps, checkKnown } from "./applied.ts";
import { isBusy, readOnlyError, storageError } from "./failures.ts";
import type { Migration } from "./migrations.ts";
import type { Storage } from "./storage.ts";

const REFUSALS = new Set(["EROFS", "EACCES", "EPERM"]);
/** How long a reader tries again whom others disturb: it blocks this thread. */
const READ_LIMIT_MS = 10_000;

/** Whether a file that is there may not be written, or one that is not could not be made. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(path, modes.W_OK);
    return false;
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    if (errno !== "ENOENT") return REFUSALS.has(errno);
    return dirname(path) !== path && isReadOnly(dirname(path));
  }
}

interface Opened {
  db: Database;
  /** What the files must look like for this to go on; undefined where SQLite itself sees what others write. */
  seen: string | undefined;
}

export class ReadOnlyStorage implements Storage {
  readonly isReadOnly = true;
  private opened: Opened;

  /** @param empty the database that stands for one which is not there @throws SpellError io, config (older or newer) */
  constructor(
    readonly path: string,
    private readonly migrations: readonly Migration[],
    private readonly empty: () => Database,
  ) {
    this.opened = this.open();
  }

  read<T>(work: (db: Database) => T): T {
    const deadlineMs = performance.now() + READ_LIMIT_MS;
    for (;;) {
      if (this.isStale()) this.renew();
      let failure: unknown;
      try {
        const result = work(this.opened.db);
        if (!this.isStale()) return result;
      } catch (error) {
        failure = storageError("Cannot read the database", this.path, error);
        if (!isBusy(error) && !this.isStale()) throw failure;
      }
      if (performance.now() > deadlineMs) throw failure ?? readOnlyChanges(this.path);
      Bun.sleepSync(1);
    }
  }

  async write(): Promise<never> {
    throw readOnlyError("Cannot write the database", this.path);
  }

  close(): void {
    this.opened.db.close();
  }

  private isStale(): boolean {
    return this.opened.seen !== undefined && this.opened.seen !== stampOf(this.path);
  }

  private renew(): void {
    this.opened.db.close();
    this.opened = this.open();
  }

  private open(): Opened {
    let db: Database | undefined;
    let isLogged = false;
    try {
      const seen = stampOf(this.path);
      if (find(this.path) === undefined) return { db: this.empty(), seen };
      isLogged = hasLog(this.path);
      db = openToRead(this.path);
      const done = appliedSteps(db) ?? [];
      checkKnown(this.path, done, this.migrations);
      if (done.length < this.migrations.length) throw olderError(this.path);
      return { db, seen: isLogged ? undefined : seen };
    } catch (error) {
      db?.close();
      throw isLogged && find(`${this.path}-shm`) === undefined
        ? logError(this.path, error)
        : storageError("Cannot open the database", this.path, error);
    }
  }
}

const hasLog = (path: string): boolean => (find(`${path}-wal`)?.size ?? 0) > 0;

export const openToRead = (path: string): Database => (hasLog(path) ? openLogged(path) : openAsItIs(path));

/** Somebody writes it elsewhere, or was killed while writing: the log beside it is part of it. */
function openLogged(path: string): Database {
  const db = new Database(path, { readonly: true, strict: true });
  db.run(`PRAGMA busy_timeout = ${READ_LIMIT_MS}`);
  return db;
}

/** Nobody has it open who writes. SQLite needs to be told: without the right to put locks and an index beside it, it refuses. */
function openAsItIs(path: string): Database {
  const url = `${pathToFileURL(path).href}?immutable=1`;
  return new Database(url, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
}

/** @throws errors of the operating system, but not for a file that is not there */
const find = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

function stampOf(path: string): string {
  const files = [path, `${path}-wal`].map(find);
  return files.map((file) => (file === undefined ? "" : `${file.ino} ${file.size} ${file.mtimeMs}`)).join();
}

const olderError = (path: string): SpellError =>
  new SpellError(
    "config",
    `Cannot open the database: an older version of llmspell made it, and it is read-only and cannot be brought up to date: ${path}`,
    { data: { path }, hint: "Copy the data directory to a place that can be written, and set LLMSPELL_HOME" },
  );

const logError = (path: string, cause: unknown): SpellError =>
  new SpellError(
    "io",
    `Cannot open the database: what was written last stands in a log that cannot be read in a read-only directory: ${path}-wal`,
    {
      data: { path },
      hint: "Copy the data directory to a place that can be written, and set LLMSPELL_HOME",
      cause,
    },
  );

const readOnlyChanges = (path: string): SpellError =>
  new SpellError("limit", `Cannot read the database: other processes keep changing it: ${path}`, {
    hint: "See which programs have the file open, and try again",
  });
