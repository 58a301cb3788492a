/** A session as it was at a moment: its description and its values, kept beside it. */

import type { Database } from "bun:sqlite";
import { nowMs, randomId } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import { parseJson, stringifyJson } from "../core/json.ts";
import { readValues, type SessionRow, time, writeValue } from "./rows.ts";
import type { CheckpointInfo } from "./service.ts";

const VERSION = 1;

interface Snapshot {
  version: number;
  name: string | null;
  description: string | null;
  tags: unknown;
  custom_metadata: unknown;
  values: Record<string, unknown>;
}

export function writeCheckpoint(db: Database, row: SessionRow, name: string | null, nowMs: number): string {
  const id = randomId();
  const snapshot: Snapshot = {
    version: VERSION,
    name: row.name,
    description: row.description,
    tags: parseJson(row.tags),
    custom_metadata: parseJson(row.custom_metadata),
    values: readValues(db, row.id),
  };
  db.query("INSERT INTO session_checkpoint VALUES (?, ?, ?, ?, ?)").run(
    id,
    row.id,
    name,
    nowMs,
    stringifyJson(snapshot),
  );
  return id;
}

/** Puts a checkpoint back. @throws SpellError not_found */
export function restoreCheckpoint(db: Database, sessionId: string, checkpointId: string): void {
  const found = db
    .query("SELECT snapshot FROM session_checkpoint WHERE id = ? AND session_id = ?")
    .get(checkpointId, sessionId) as { snapshot: string } | null;
  if (found === null)
    throw new SpellError("not_found", `Checkpoint not found: ${checkpointId}`, {
      data: { session_id: sessionId },
      hint: "Session.list_checkpoints(id) shows the checkpoints of a session",
    });
  const { name, description, tags, custom_metadata, values } = parseJson(found.snapshot) as Snapshot;
  db.query(
    "UPDATE session SET name = ?, description = ?, tags = ?, custom_metadata = ?, updated_at = ? WHERE id = ?",
  ).run(name, description, stringifyJson(tags), stringifyJson(custom_metadata), nowMs(), sessionId);
  db.query("DELETE FROM session_value WHERE session_id = ?").run(sessionId);
  for (const [key, value] of Object.entries(values)) writeValue(db, sessionId, key, value);
}

export function readCheckpoints(db: Database, sessionId: string): CheckpointInfo[] {
  const rows = db
    .query(
      "SELECT id, name, created_at FROM session_checkpoint WHERE session_id = ? ORDER BY created_at, rowid",
    )
    .all(sessionId) as { id: string; name: string | null; created_at: number }[];
  return rows.map((row) => ({
    id: row.id,
    session_id: sessionId,
    name: row.name,
    created_at: time(row.created_at),
  }));
}
