/** State in the database of the data directory, shared by all processes that have it open. */
import type { Database } from "bun:sqlite";
import { integrityProblems } from "../../storage/integrity.ts";
import type { Storage } from "../../storage/storage.ts";
import {
  type Applied,
  NOTE_PREFIX,
  prefixEnd,
  type StateBackend,
  type StateChange,
  type StateRecord,
} from "../backend.ts";

const COLUMNS = "key, value, version, timestamp_ms AS timestampMs, schema_version AS schemaVersion";
const GET = `SELECT ${COLUMNS} FROM state WHERE key = ?`;
const NEXT_VERSION = "UPDATE state_version SET last = last + 1 RETURNING last";
const SET = `INSERT INTO state (key, value, version, timestamp_ms, schema_version) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (key) DO UPDATE SET value = ?2, version = ?3, timestamp_ms = ?4, schema_version = ?5`;

/** `WHERE` for the keys that begin so. */
function within(prefix: string): { where: string; values: string[] } {
  const end = prefixEnd(prefix);
  const notes = prefix.startsWith(NOTE_PREFIX) ? "" : ` AND substr(key, 1, 2) <> '${NOTE_PREFIX}'`;
  return end === undefined
    ? { where: `key >= ?${notes}`, values: [prefix] }
    : { where: `key >= ? AND key < ?${notes}`, values: [prefix, end] };
}

export class SqliteBackend implements StateBackend {
  readonly name = "sqlite";

  /** @param ownsStorage whether `close` closes the database */
  constructor(
    private readonly storage: Storage,
    private readonly ownsStorage: boolean,
  ) {}

  get(key: string): StateRecord | undefined {
    return this.storage.read((db) => (db.query(GET).get(key) as StateRecord | null) ?? undefined);
  }

  list(prefix: string): StateRecord[] {
    const { where, values } = within(prefix);
    return this.storage.read(
      (db) =>
        db.query(`SELECT ${COLUMNS} FROM state WHERE ${where} ORDER BY key`).all(...values) as StateRecord[],
    );
  }

  keys(prefix: string): string[] {
    const { where, values } = within(prefix);
    return this.storage.read((db) =>
      (db.query(`SELECT key FROM state WHERE ${where} ORDER BY key`).values(...values) as [string][]).map(
        ([key]) => key,
      ),
    );
  }

  async apply(changes: readonly StateChange[]): Promise<Applied> {
    try {
      return await this.storage.write((db) => applyAll(db, changes));
    } catch (error) {
      if (error instanceof Conflict) return { applied: false, conflict: error.conflict };
      throw error;
    }
  }

  problems(): string[] {
    return this.storage.read(integrityProblems);
  }

  async close(): Promise<void> {
    if (this.ownsStorage) this.storage.close();
  }
}

/** Thrown within the transaction, so that it is undone. */
class Conflict extends Error {
  constructor(readonly conflict: { key: string; expected: number; actual: number }) {
    super("version conflict");
  }
}

function applyAll(db: Database, changes: readonly StateChange[]): Applied {
  const versions: number[] = [];
  let removed = 0;
  for (const change of changes) {
    if (change.type !== "clear" && change.expected !== undefined)
      checkVersion(db, change.key, change.expected);
    if (change.type === "set") versions.push(set(db, change));
    else {
      removed += remove(db, change);
      versions.push(0);
    }
  }
  return { applied: true, versions, removed };
}

function checkVersion(db: Database, key: string, expected: number): void {
  const row = db.query("SELECT version FROM state WHERE key = ?").get(key) as { version: number } | null;
  const actual = row?.version ?? 0;
  if (actual !== expected) throw new Conflict({ key, expected, actual });
}

function set(db: Database, change: Extract<StateChange, { type: "set" }>): number {
  const { key, value, timestampMs = Date.now(), schemaVersion } = change;
  const { last } = db.query(NEXT_VERSION).get() as { last: number };
  db.query(SET).run(key, value, last, timestampMs, schemaVersion);
  return last;
}

/** How many records are gone. */
function remove(db: Database, change: Exclude<StateChange, { type: "set" }>): number {
  if (change.type === "delete") return db.query("DELETE FROM state WHERE key = ?").run(change.key).changes;
  const { where, values } = within(change.prefix);
  return db.query(`DELETE FROM state WHERE ${where}`).run(...values).changes;
}
