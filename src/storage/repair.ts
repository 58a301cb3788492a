/**
 * A new database from what can be read of a damaged one. The old files are kept beside it under another name. Nothing
 * is changed while another process has the database open.
 */
import { Database, SQLiteError, type Statement } from "bun:sqlite";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { integrityProblems } from "./integrity.ts";
import { MIGRATIONS, type Migration } from "./migrations.ts";
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
      old.close();
      return { repaired: true, problems, tables, damaged: exchange(path, join(workshop, DATABASE_FILE)) };
    } finally {
      rmSync(workshop, { recursive: true, force: true });
    }
  } finally {
    old.close();
  }
}

/** @throws SpellError io when another process has it open */
function openAlone(path: string): Database {
  const db = new Database(path, { readwrite: true, create: false });
  try {
    db.run("PRAGMA busy_timeout = 2000");
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    db.run("BEGIN EXCLUSIVE");
    db.run("COMMIT");
  } catch (error) {
    if (!(error instanceof SQLiteError) || !error.code?.startsWith("SQLITE_BUSY")) return db; // damaged, as expected
    db.close();
    throw new SpellError("io", `Cannot repair the database: another program has it open: ${path}`, {
      hint: "End kernels and scripts that use this data directory, and try again",
    });
  }
  return db;
}

function problemsOf(db: Database): string[] {
  try {
    return integrityProblems(db);
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error;
    return [error.message];
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
    if (!(error instanceof SQLiteError)) throw error;
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

/** The damaged files get another name, the new one takes their place. */
function exchange(path: string, fresh: string): string {
  const kept = `${path}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  for (const companion of COMPANIONS)
    if (existsSync(path + companion)) renameSync(path + companion, kept + companion);
  renameSync(path, kept);
  renameSync(fresh, path);
  return kept;
}
