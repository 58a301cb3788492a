/** State in PostgreSQL, for several machines. Tables are made at the first use. */
import { SQL, type TransactionSQL } from "bun";
import {
  type Applied,
  NOTE_PREFIX,
  prefixEnd,
  type StateBackend,
  type StateChange,
  type StateRecord,
} from "../backend.ts";
import { isLost, isNeverSent, isSerialization, postgresError } from "./postgres-errors.ts";

const CONNECTIONS = 4;
const CONNECT_TIMEOUT_SECONDS = 10;
const RECONNECT_MS = 10_000;
const SERIALIZATION_ATTEMPTS = 20;

/** Any number that every llmspell uses: who makes the tables holds this lock. */
const SETUP_LOCK = 0x6c6c_6d73;
const SETUP = [
  'CREATE TABLE IF NOT EXISTS llmspell_state (key text COLLATE "C" PRIMARY KEY, value bytea NOT NULL, version bigint NOT NULL, timestamp_ms bigint NOT NULL, schema_version text NOT NULL)',
  "CREATE SEQUENCE IF NOT EXISTS llmspell_state_version",
];

interface Row {
  key: string;
  value: Uint8Array;
  /** 64-bit integers arrive as text. */
  version: string;
  timestamp_ms: string;
  schema_version: string;
}

export class PostgresBackend implements StateBackend {
  readonly name = "postgres";
  private readonly sql: SQL;
  private ready: Promise<void> | undefined;

  /**
   * Connects at the first use.
   * @param url `postgres://user:password@host:port/database`
   * @param reconnectMs how long a server that went away is waited for
   */
  constructor(
    private readonly url: string,
    private readonly reconnectMs = RECONNECT_MS,
  ) {
    this.sql = new SQL(url, {
      max: CONNECTIONS,
      connectionTimeout: CONNECT_TIMEOUT_SECONDS,
      idleTimeout: 0,
    });
  }

  async get(key: string): Promise<StateRecord | undefined> {
    const rows = await this.query<Row[]>((sql) => sql`SELECT * FROM llmspell_state WHERE key = ${key}`);
    return rows[0] && recordOf(rows[0]);
  }

  async list(prefix: string): Promise<StateRecord[]> {
    const rows = await this.query<Row[]>(
      (sql) => sql`SELECT * FROM llmspell_state WHERE ${within(sql, prefix)} ORDER BY key`,
    );
    return rows.map(recordOf);
  }

  async keys(prefix: string): Promise<string[]> {
    const rows = await this.query<Row[]>(
      (sql) => sql`SELECT key FROM llmspell_state WHERE ${within(sql, prefix)} ORDER BY key`,
    );
    return rows.map(({ key }) => key);
  }

  async apply(changes: readonly StateChange[]): Promise<Applied> {
    const conditional = changes.some((change) => change.type !== "clear" && change.expected !== undefined);
    try {
      return await this.query((sql) => sql.begin((tx) => applyAll(tx, changes)), !conditional);
    } catch (error) {
      if (error instanceof Conflict) return { applied: false, conflict: error.conflict };
      throw error;
    }
  }

  /** The server looks after its own files; that it answers and has the table is what can be told from here. */
  async problems(): Promise<string[]> {
    await this.query((sql) => sql`SELECT count(*) FROM llmspell_state`);
    return [];
  }

  async close(): Promise<void> {
    await this.sql.close({ timeout: 5 });
  }

  /** @param repeatable whether it may run again although the server may have done it */
  private async query<T>(work: (sql: SQL) => PromiseLike<T>, repeatable = true): Promise<T> {
    const deadlineMs = performance.now() + this.reconnectMs;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.setUp();
        return await work(this.sql);
      } catch (error) {
        const again =
          (isSerialization(error) && attempt < SERIALIZATION_ATTEMPTS) ||
          (performance.now() < deadlineMs && (isNeverSent(error) || (repeatable && isLost(error))));
        if (!again) throw postgresError(error, this.url);
        await Bun.sleep(Math.random() * Math.min(20 * 2 ** attempt, 1000));
      }
    }
  }

  private setUp(): Promise<void> {
    this.ready ??= this.makeTables().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    return this.ready;
  }

  private async makeTables(): Promise<void> {
    const [found] = await this.sql`SELECT to_regclass('llmspell_state') IS NOT NULL AND
      to_regclass('llmspell_state_version') IS NOT NULL AS there`;
    if (found.there) return;
    await this.sql.begin(async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(${SETUP_LOCK})`;
      for (const statement of SETUP) await tx.unsafe(statement);
    });
  }
}

/** Thrown within the transaction, so that it is undone. */
class Conflict extends Error {
  constructor(readonly conflict: { key: string; expected: number; actual: number }) {
    super("version conflict");
  }
}

const recordOf = (row: Row): StateRecord => ({
  key: row.key,
  value: row.value,
  version: Number(row.version),
  timestampMs: Number(row.timestamp_ms),
  schemaVersion: row.schema_version,
});

/** The condition for keys that begin so. */
function within(sql: SQL | TransactionSQL, prefix: string) {
  const end = prefixEnd(prefix);
  const from = end === undefined ? sql`key >= ${prefix}` : sql`key >= ${prefix} AND key < ${end}`;
  return prefix.startsWith(NOTE_PREFIX) ? from : sql`${from} AND left(key, 2) <> ${NOTE_PREFIX}`;
}

async function applyAll(tx: TransactionSQL, changes: readonly StateChange[]): Promise<Applied> {
  const versions: number[] = [];
  let removed = 0;
  for (const change of changes) {
    if (change.type === "set") versions.push(await set(tx, change));
    else {
      removed += await remove(tx, change);
      versions.push(0);
    }
  }
  return { applied: true, versions, removed };
}

async function set(tx: TransactionSQL, change: Extract<StateChange, { type: "set" }>): Promise<number> {
  const { key, value, schemaVersion, timestampMs = Date.now(), expected } = change;
  const values = tx`(${key}, ${value}, nextval('llmspell_state_version'), ${timestampMs}, ${schemaVersion})`;
  const columns = tx`llmspell_state (key, value, version, timestamp_ms, schema_version)`;
  const replacement = tx`value = excluded.value, version = excluded.version, timestamp_ms = excluded.timestamp_ms, schema_version = excluded.schema_version`;
  if (expected === 0) {
    const [made] = await tx`INSERT INTO ${columns} VALUES ${values} ON CONFLICT DO NOTHING RETURNING version`;
    if (made === undefined) await checkVersion(tx, key, expected);
    return Number(made.version);
  }
  if (expected !== undefined) await checkVersion(tx, key, expected);
  const [written] = await tx`INSERT INTO ${columns} VALUES ${values}
    ON CONFLICT (key) DO UPDATE SET ${replacement} RETURNING version`;
  return Number(written.version);
}

/** Holds the row until the end of the transaction. */
async function checkVersion(tx: TransactionSQL, key: string, expected: number): Promise<void> {
  const [row] = await tx`SELECT version FROM llmspell_state WHERE key = ${key} FOR UPDATE`;
  const actual = row === undefined ? 0 : Number(row.version);
  if (actual !== expected) throw new Conflict({ key, expected, actual });
}

/** How many records are gone. */
async function remove(tx: TransactionSQL, change: Exclude<StateChange, { type: "set" }>): Promise<number> {
  if (change.type === "clear") {
    const gone = await tx`DELETE FROM llmspell_state WHERE ${within(tx, change.prefix)}`;
    return gone.count;
  }
  if (change.expected !== undefined) await checkVersion(tx, change.key, change.expected);
  const gone = await tx`DELETE FROM llmspell_state WHERE key = ${change.key}`;
  return gone.count;
}
