/**
 * Journals of durable workflows (`src/workflows/journal`). `owner` names the process that runs one, by the lock it holds.
 * Values are JSON in the form of `core/wire-values.ts`, times milliseconds since the epoch.
 */
export const WORKFLOWS = `
CREATE TABLE workflow_run (
  id TEXT PRIMARY KEY,
  workflow TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  definition TEXT NOT NULL,
  definition_hash TEXT NOT NULL,
  input TEXT NOT NULL,
  shared TEXT NOT NULL,
  script TEXT,
  script_hash TEXT,
  arguments TEXT NOT NULL,
  directory TEXT NOT NULL,
  script_run TEXT NOT NULL,
  owner TEXT,
  owner_pid INTEGER,
  starts INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  begun_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  ended_at INTEGER
);
CREATE INDEX workflow_run_by_time ON workflow_run (begun_at);
CREATE TABLE workflow_step (
  run_id TEXT NOT NULL REFERENCES workflow_run (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  place INTEGER NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  status TEXT NOT NULL,
  is_repeatable INTEGER NOT NULL,
  starts INTEGER NOT NULL,
  outcome TEXT,
  shared TEXT,
  error TEXT,
  begun_at INTEGER NOT NULL,
  ended_at INTEGER,
  PRIMARY KEY (run_id, path)
) WITHOUT ROWID;
`;
