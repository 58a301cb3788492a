/**
 * A new database from what can be read of a damaged one. The old files are kept beside it under another name. Nothing
 * is changed while another process has the database open.
 */
import { Database, SQLiteError, type Statement } from "bun:sqlite";
import { copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, SpellError } from "../core/errors.ts";
import { ioError } from "../core/io-error.ts";
import { isBusy, readOnlyError, storageError } from "./failures.ts";
import { integrityProblems } from "./integrity.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";
import { isReadOnly } from "./read-only.ts";
import { DATABASE_FILE, openStorage, type Storage } from "./storage.ts";

/** SQLite keeps these beside a database. */
const COMPANIONS = ["-wal", "-shm"] as const;

export interface Repaired {
  /** False: it was sound, and nothing was changed. */
  repaired: boolean;
  problems: string[];
  /** Rows that were kept and lost, by table; `lost` is null where nobody can tell. */
  tables: { name: string; kept: number; lost: number | null }[];
  /** Where the damaged files are; null where nothing was changed. */
  damaged: string | null;
}

/** @param place a data directory @throws SpellError not_found, io */
export async function repairStorage(
  place: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<Repaired> {
  const path = join(place, DATABASE_FILE);
  if (!existsSync(path))
    throw new SpellError("not_found", `Cannot repair the database: there is none: ${path}`);
  if (isReadOnly(path) || isReadOnly(place)) throw readOnlyError("Cannot repair the database", path);
  const old = openAlone(path);
  try {
    const problems = problemsOf(old);
    if (problems.length === 0) return { repaired: false, problems, tables: [], damaged: null };
    const workshop = join(place, `.repair-${process.pid}-${Date.now()}`);
    try {
      const fresh = await openStorage(workshop, migrations);
      let tables: Repaired["tables"];
      try {
        tables = await copyReadable(old, fresh);
        fresh.read((db) => db.run("PRAGMA wal_checkpoint(TRUNCATE)"));
      } finally {
        fresh.close();
      }
      checkWhole(join(workshop, DATABASE_FILE), path);
      emptyLog(old);
      old.close();
      return { repaired: true, problems, tables, damaged: exchange(path, join(workshop, DATABASE_FILE)) };
    } finally {
      rmSync(workshop, { recursive: true, force: true });
    }
  } catch (error) {
    throw storageError("Cannot repair the database", path, error);
  } finally {
    old.close();
  }
}

/** @throws SpellError io when another process has it open */
function openAlone(path: string): Database {
  let db: Database | undefined;
  try {
    db = new Database(path, { readwrite: true, create: false });
    db.run("PRAGMA busy_timeout = 2000");
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.run("BEGIN EXCLUSIVE");
    db.run("COMMIT");
    return db;
  } catch (error) {
    if (db !== undefined && isDamage(error)) return db;
    db?.close();
    if (!isBusy(error)) throw storageError("Cannot repair the database", path, error);
    throw new SpellError("io", `Cannot repair the database: another program has it open: ${path}`, {
      hint: "End kernels and scripts that use this data directory, and try again",
    });
  }
}

/** Of the file; a full disk, say, is no reason to give up what it holds. */
const DAMAGE =
  /^SQLITE_(CORRUPT|NOTADB|IOERR_(READ|SHORT_READ|DATA|CORRUPTFS)|ERROR$|CONSTRAINT|SCHEMA|MISMATCH)/;

const isDamage = (error: unknown): boolean => error instanceof SQLiteError && DAMAGE.test(error.code ?? "");

function problemsOf(db: Database): string[] {
  try {
    return integrityProblems(db);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [messageOf(error)];
  }
}

interface Table {
  name: string;
  type: "table" | "virtual";
  /** 1 for a table without row numbers. */
  wr: 0 | 1;
}

async function copyReadable(old: Database, fresh: Storage): Promise<Repaired["tables"]> {
  // Shadow tables are written by the virtual table that they belong to.
  const tables = fresh.read(
    (db) =>
      db
        .query(
          "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite_%' AND name <> 'migration' ORDER BY type, name",
        )
        .all() as Table[],
  );
  const copied: Repaired["tables"] = [];
  for (const table of tables) {
    const { rows, lost } = readableRows(old, table);
    const kept = await fresh.write((db) => insertAll(db, table.name, rows));
    copied.push({ name: table.name, kept, lost });
  }
  return copied;
}

type Row = Record<string, unknown>;

/** Walks a table forwards, then backwards from its end, so that one bad page costs only what is on it. */
function readableRows(db: Database, { name, type, wr }: Table): { rows: Row[]; lost: number | null } {
  if (wr === 1) {
    const rows: Row[] = [];
    const whole = walk(db, `SELECT * FROM "${name}"`, (row) => rows.push(row));
    return { rows, lost: whole ? 0 : null };
  }
  const rows = new Map<number, Row>();
  const keep = ({ "rowid ": id, ...columns }: Row) =>
    rows.set(Number(id), type === "virtual" ? { rowid: id, ...columns } : columns);
  const select = `SELECT rowid AS "rowid ", * FROM "${name}"`;
  const inOrder = (order: string) => walk(db, `${select} ORDER BY rowid ${order}`, keep);
  if (inOrder("ASC")) return { rows: [...rows.values()], lost: 0 };
  inOrder("DESC");
  // The walks stop at the first bad page from either side: ask for each row between.
  const last = [...rows.keys()].reduce((most, id) => Math.max(most, id), 0);
  for (let id = 1; id <= last; id++) if (!rows.has(id)) walk(db, `${select} WHERE rowid = ${id}`, keep);
  return { rows: [...rows.values()], lost: null };
}

/** Whether it came to the end. */
function walk(db: Database, sql: string, keep: (row: Row) => void): boolean {
  let statement: Statement | undefined;
  try {
    statement = db.prepare(sql);
    for (const row of statement.iterate()) keep(row as Row);
    return true;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return false;
  } finally {
    statement?.finalize();
  }
}

/** Rows that a fresh database has of its own are replaced. */
function insertAll(db: Database, table: string, rows: readonly Row[]): number {
  let kept = 0;
  for (const row of rows) {
    const columns = Object.keys(row);
    const names = columns.map((column) => `"${column}"`).join(", ");
    const marks = columns.map(() => "?").join(", ");
    try {
      db.query(`INSERT OR REPLACE INTO "${table}" (${names}) VALUES (${marks})`).run(
        ...(Object.values(row) as never[]),
      );
      kept++;
    } catch (error) {
      if (!(error instanceof SQLiteError) || !error.code?.startsWith("SQLITE_CONSTRAINT")) throw error;
    }
  }
  return kept;
}

/**
 * The damaged database gets another name beside its own, and the new one takes its place in one step: at any moment one of
 * them is there. A log would be taken for the new one's.
 */
function exchange(path: string, fresh: string): string {
  const kept = `${path}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  try {
    nameToo(path, kept);
    for (const companion of COMPANIONS)
      if (existsSync(path + companion)) renameSync(path + companion, kept + companion);
    renameSync(fresh, path);
  } catch (error) {
    throw ioError("Cannot repair the database: the new one cannot take the place of", path, error);
  }
  return kept;
}

/** A log that is left holds what a checkpoint could not write. @throws SpellError io */
function checkWhole(fresh: string, path: string): void {
  if ((statSync(`${fresh}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  throw new SpellError("io", `Cannot repair the database: the new one could not be written whole: ${path}`, {
    hint: "Nothing was changed. See that the disk has free space, and try again",
  });
}

function nameToo(path: string, other: string): void {
  try {
    linkSync(path, other);
  } catch {
    copyFileSync(path, other); // not every file system has links
  }
}

/** What the log holds comes into the file, page by page, unless even that is past reading; then nothing was kept of it. */
function emptyLog(db: Database): void {
  try {
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
}
