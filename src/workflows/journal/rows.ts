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
