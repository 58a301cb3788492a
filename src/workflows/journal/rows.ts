/** The journal's rows, as the database has them and as others see them. */
import type { Database } from "bun:sqlite";

/**
 * `stopped`: its process ended, or gave it up, before its end. `interrupted`: it waits for a decision about a step of which
 * nobody knows whether it was done.
 */
export type RunStatus = "running" | "stopped" | "interrupted" | "completed" | "failed" | "cancelled";

/** `started`: it was begun, and nobody has said how it ended. `decided`: no step, but a choice between ways. */
export type StepStatus = "started" | "completed" | "failed" | "skipped" | "decided";

export interface RunRow {
  id: string;
  workflow: string;
  type: string;
  status: RunStatus;
  definition: string;
  definition_hash: string;
  input: string;
  shared: string;
  script: string | null;
  script_hash: string | null;
  arguments: string;
  directory: string;
  script_run: string;
  owner: string | null;
  owner_pid: number | null;
  starts: number;
  cancel_requested: number;
  error: string | null;
  begun_at: number;
  updated_at: number;
  ended_at: number | null;
}

export interface StepRow {
  path: string;
  place: number;
  /** A step's type, or `choice`. */
  kind: string;
  target: string;
  status: StepStatus;
  is_repeatable: number;
  starts: number;
  outcome: string | null;
  shared: string | null;
  error: string | null;
  begun_at: number;
  ended_at: number | null;
}

export const findRun = (db: Database, id: string): RunRow | undefined =>
  (db.query("SELECT * FROM workflow_run WHERE id = ?").get(id) as RunRow | null) ?? undefined;

export const listRuns = (db: Database): RunRow[] =>
  db.query("SELECT * FROM workflow_run ORDER BY begun_at DESC, id").all() as RunRow[];

export const stepsOf = (db: Database, runId: string): StepRow[] =>
  db.query("SELECT * FROM workflow_step WHERE run_id = ? ORDER BY place").all(runId) as StepRow[];

export const countSteps = (db: Database): Map<string, number> => {
  const rows = db
    .query(
      "SELECT run_id, count(*) AS n FROM workflow_step WHERE status IN ('completed', 'skipped', 'failed') GROUP BY run_id",
    )
    .all() as { run_id: string; n: number }[];
  return new Map(rows.map(({ run_id, n }) => [run_id, n]));
};

const RUN_COLUMNS = [
  ...[
    "id",
    "workflow",
    "type",
    "status",
    "definition",
    "definition_hash",
    "input",
    "shared",
    "script",
    "script_hash",
  ],
  ...["arguments", "directory", "script_run", "owner", "owner_pid", "starts", "cancel_requested", "error"],
  ...["begun_at", "updated_at", "ended_at"],
] as (keyof RunRow)[];

const STEP_COLUMNS = [
  ...["path", "place", "kind", "target", "status", "is_repeatable", "starts", "outcome", "shared", "error"],
  ...["begun_at", "ended_at"],
] as (keyof StepRow)[];

const places = (columns: readonly string[]): string => columns.map(() => "?").join(", ");

export function insertRun(db: Database, row: RunRow): void {
  db.query(`INSERT INTO workflow_run (${RUN_COLUMNS.join(", ")}) VALUES (${places(RUN_COLUMNS)})`).run(
    ...RUN_COLUMNS.map((column) => row[column]),
  );
}

/** In place of the step of this path, where there is one. */
export function insertStep(db: Database, runId: string, row: StepRow): void {
  db.query(INSERT_STEP).run(runId, ...STEP_COLUMNS.map((column) => row[column]));
}

const INSERT_STEP = `INSERT OR REPLACE INTO workflow_step (run_id, ${STEP_COLUMNS.join(", ")})
  VALUES (?, ${places(STEP_COLUMNS)})`;
