/** What was executed in kernels of this user, kept across restarts, for `history_request` and its like. */
import type { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** Older entries are forgotten. */
const MAX_ENTRIES = 10_000;
const FORGET_EVERY = 100;

export interface HistoryEntry {
  /** Counts the kernels that have run, from 1. */
  session: number;
  /** The execution count. */
  line: number;
  input: string;
  output: string | null;
}

export type HistoryQuery =
  | { type: "tail"; count: number }
  /** `session`: above 0 as stored; 0 the current one, -1 the one before it. Lines from `start` up to but not `stop`. */
  | { type: "range"; session: number; start: number; stop: number | undefined }
  /** `pattern`: `*`, `?` and `[…]` as in file names; the last `count` that match, or all. */
  | { type: "search"; pattern: string; count: number | undefined; unique: boolean };

const COLUMNS = "session, line, input, output";

export class ExecutionHistory {
  private constructor(
    private readonly db: Database,
    readonly session: number,
  ) {}

  /** Opens the file of the data directory and begins a session in it. */
  static async open(dataDirectory: string): Promise<ExecutionHistory> {
    const { Database } = await import("bun:sqlite");
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    const umask = process.umask(0o077); // what people typed is theirs alone
    const db = new Database(join(dataDirectory, "history.db"));
    try {
      db.run("PRAGMA busy_timeout = 5000");
      db.run("PRAGMA journal_mode = WAL");
      db.run("PRAGMA synchronous = NORMAL");
      db.run(
        "CREATE TABLE IF NOT EXISTS session (id INTEGER PRIMARY KEY AUTOINCREMENT, started_at TEXT NOT NULL)",
      );
      db.run(
        `CREATE TABLE IF NOT EXISTS entry (
          id INTEGER PRIMARY KEY, session INTEGER NOT NULL, line INTEGER NOT NULL, input TEXT NOT NULL, output TEXT)`,
      );
    } finally {
      process.umask(umask);
    }
    const { lastInsertRowid } = db.run("INSERT INTO session (started_at) VALUES (?)", [
      new Date().toISOString(),
    ]);
    return new ExecutionHistory(db, Number(lastInsertRowid));
  }

  add(line: number, input: string, output: string | null): void {
    const { lastInsertRowid } = this.db
      .query("INSERT INTO entry (session, line, input, output) VALUES (?, ?, ?, ?)")
      .run(this.session, line, input, output);
    const id = Number(lastInsertRowid);
    if (id % FORGET_EVERY === 0) this.db.query("DELETE FROM entry WHERE id <= ?").run(id - MAX_ENTRIES);
  }

  /** Oldest first. */
  find(query: HistoryQuery): HistoryEntry[] {
    if (query.type === "tail")
      return this.rows(`SELECT ${COLUMNS} FROM entry ORDER BY id DESC LIMIT ?`, query.count).reverse();
    if (query.type === "search") {
      const group = query.unique ? "GROUP BY input" : "";
      const id = query.unique ? "max(id) AS last" : "id AS last";
      return this.rows(
        `SELECT ${COLUMNS}, ${id} FROM entry WHERE input GLOB ? ${group} ORDER BY last DESC LIMIT ?`,
        query.pattern,
        query.count ?? -1,
      ).reverse();
    }
    const session = query.session > 0 ? query.session : this.session + query.session;
    return this.rows(
      `SELECT ${COLUMNS} FROM entry WHERE session = ? AND line >= ? AND line < ? ORDER BY id`,
      session,
      query.start,
      query.stop ?? Number.MAX_SAFE_INTEGER,
    );
  }

  private rows(sql: string, ...values: (string | number)[]): HistoryEntry[] {
    return (this.db.query(sql).all(...values) as HistoryEntry[]).map(({ session, line, input, output }) => ({
      session,
      line,
      input,
      output,
    }));
  }

  close(): void {
    this.db.close();
  }
}
