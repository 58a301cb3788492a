/** Recorded steps as rows of the database. */
import type { Database } from "bun:sqlite";
import { REDACTED } from "../../config/redact.ts";
import { parseJson } from "../../core/json.ts";
import type { RecordedKind } from "../../core/recording.ts";
import type { RecordedStep } from "./service.ts";

/** The key of an object that stands where bytes stood. */
export const BYTES = "$bytes";
/** The key of an object that stands where something was too long, or had no JSON form. */
export const NOT_KEPT = "$not_kept";

interface StepRow {
  step: number;
  id: string;
  kind: RecordedKind;
  name: string;
  input: string;
  output: string | null;
  error: string | null;
  started_at: number;
  duration_ms: number;
  correlation_id: string;
  within: string | null;
}

export function readSteps(db: Database, sessionId: string): RecordedStep[] {
  const rows = db.query("SELECT * FROM replay_step WHERE session_id = ? ORDER BY step").all(sessionId);
  return (rows as StepRow[]).map((row) => ({
    step: row.step,
    id: row.id,
    kind: row.kind,
    name: row.name,
    input: parseJson(row.input),
    output: row.output === null ? null : parseJson(row.output),
    error: row.error,
    startedMs: row.started_at,
    durationMs: row.duration_ms,
    correlationId: row.correlation_id,
    within: row.within,
  }));
}

export interface StepSpan {
  count: number;
  firstMs: number | null;
  lastMs: number | null;
  endMs: number | null;
}

export function spanOf(db: Database, sessionId: string): StepSpan {
  return db
    .query(
      `SELECT count(*) AS count, min(started_at) AS firstMs, max(started_at) AS lastMs,
         max(started_at + duration_ms) AS endMs FROM replay_step WHERE session_id = ?`,
    )
    .get(sessionId) as StepSpan;
}

/** False for an input from which something is missing: a secret, bytes, what was too long. */
export function isWhole(value: unknown): boolean {
  const text = JSON.stringify(value, (_, item) => (typeof item === "bigint" ? String(item) : item));
  return ![REDACTED, `"${BYTES}"`, `"${NOT_KEPT}"`].some((mark) => text.includes(mark));
}
