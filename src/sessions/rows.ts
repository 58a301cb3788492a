/** Sessions as rows of the database. Every function works within a read or a write of `Storage`. */
import type { Database, SQLQueryBindings } from "bun:sqlite";
import { parseJson, stringifyJson } from "../core/json.ts";
import { sessionNotFound } from "./ids.ts";
import type { SessionInfo, SessionQuery, SessionStatus } from "./service.ts";

export interface SessionRow {
  id: string;
  name: string | null;
  description: string | null;
  status: SessionStatus;
  created_by: string | null;
  parent_session_id: string | null;
  correlation_id: string;
  created_at: number;
  updated_at: number;
  started_at: number;
  ended_at: number | null;
  saved_at: number | null;
  /** JSON. */
  tags: string;
  custom_metadata: string;
  operation_count: number;
  artifact_count: number;
  total_artifact_size: number;
}

const COLUMNS = [
  "id",
  "name",
  "description",
  "status",
  "created_by",
  "parent_session_id",
  "correlation_id",
  "created_at",
  "updated_at",
  "started_at",
  "ended_at",
  "saved_at",
  "tags",
  "custom_metadata",
  "operation_count",
] as const satisfies (keyof SessionRow)[];

export type NewSession = Pick<SessionRow, (typeof COLUMNS)[number]>;

export const time = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms));

export function infoOf(row: SessionRow): SessionInfo {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    status: row.status,
    tags: JSON.parse(row.tags) as string[],
    created_at: time(row.created_at),
    updated_at: time(row.updated_at),
    started_at: time(row.started_at),
    ended_at: timeOrNull(row.ended_at),
    created_by: row.created_by,
    parent_session_id: row.parent_session_id,
    custom_metadata: parseJson(row.custom_metadata) as Record<string, unknown>,
    artifact_count: row.artifact_count,
    total_artifact_size: row.total_artifact_size,
    operation_count: row.operation_count,
  };
}

export function findSession(db: Database, id: string): SessionRow | null {
  return db.query("SELECT * FROM session WHERE id = ?").get(id) as SessionRow | null;
}

/** @throws SpellError not_found */
export function readSession(db: Database, id: string): SessionRow {
  const row = findSession(db, id);
  if (row === null) throw sessionNotFound(id);
  return row;
}

const INSERT = `INSERT INTO session (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map((name) => `$${name}`).join(", ")})`;

export function insertSession(db: Database, row: NewSession): void {
  db.query(INSERT).run(row);
}

/** Bytes of memory at most for one reading of a long list. */
const MOST_ROWS = 100_000;

export function querySessions(db: Database, query: SessionQuery): SessionRow[] {
  const conditions: string[] = [];
  const values: SQLQueryBindings[] = [];
  const where = (condition: string, ...given: SQLQueryBindings[]) => {
    conditions.push(condition);
    values.push(...given);
  };
  if (query.status !== undefined) where("status = ?", query.status);
  if (query.createdBy !== undefined) where("created_by = ?", query.createdBy);
  if (query.parentSessionId !== undefined) where("parent_session_id = ?", query.parentSessionId);
  if (query.createdAfterMs !== undefined) where("created_at >= ?", query.createdAfterMs);
  if (query.createdBeforeMs !== undefined) where("created_at <= ?", query.createdBeforeMs);
  for (const tag of query.tags ?? [])
    where("EXISTS (SELECT 1 FROM json_each(session.tags) WHERE value = ?)", tag);
  if (query.searchText !== undefined)
    where(
      "(instr(lower(coalesce(name, '')), $0) OR instr(lower(coalesce(description, '')), $0) OR instr(lower(tags), $0))".replaceAll(
        "$0",
        "lower(?)",
      ),
      query.searchText,
      query.searchText,
      query.searchText,
    );
  const key = query.sortBy ?? "updated_at";
  const descending = query.sortDescending ?? key !== "name";
  const direction = descending ? "DESC" : "ASC";
  const limit = Math.min(query.limit ?? MOST_ROWS, MOST_ROWS);
  return db
    .query(
      `SELECT * FROM session ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`}
       ORDER BY ${key} ${direction}, rowid ${direction} LIMIT ? OFFSET ?`,
    )
    .all(...values, limit, query.offset ?? 0) as SessionRow[];
}

export function readValues(db: Database, id: string): Record<string, unknown> {
  const rows = db.query("SELECT key, value FROM session_value WHERE session_id = ? ORDER BY key").all(id);
  return Object.fromEntries(
    (rows as { key: string; value: string }[]).map(({ key, value }) => [key, parseJson(value)]),
  );
}

export function writeValue(db: Database, id: string, key: string, value: unknown): void {
  db.query("INSERT OR REPLACE INTO session_value VALUES (?, ?, ?)").run(id, key, stringifyJson(value));
}
