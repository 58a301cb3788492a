/** Artifacts as rows of the database. */
import type { Database, SQLQueryBindings } from "bun:sqlite";
import { parseJson } from "../../core/json.ts";
import { matchesWildcard } from "../../core/wildcard.ts";
import { time } from "../rows.ts";
import type { ArtifactQuery, ArtifactRecord } from "./service.ts";
import { typeName } from "./types.ts";

export interface ArtifactRow {
  id: number;
  session_id: string;
  name: string;
  version: number;
  content_hash: string;
  previous_hash: string | null;
  artifact_type: string;
  mime_type: string | null;
  description: string | null;
  size: number;
  tags: string;
  custom: string;
  created_at: number;
  created_by: string | null;
  parent_artifact: string | null;
  is_compressed: number;
  stored_size: number;
}

/** With what its content takes in the store. */
export const SELECT_ARTIFACT = `SELECT artifact.*, content.is_compressed, content.stored_size
  FROM artifact JOIN artifact_content AS content ON content.hash = artifact.content_hash`;

export function recordOf(row: ArtifactRow): ArtifactRecord {
  const { content_hash, session_id, version: sequence, name } = row;
  return {
    id: { content_hash, session_id, sequence, name },
    content_hash,
    session_id,
    sequence,
    name,
    description: row.description,
    artifact_type: typeName(row.artifact_type),
    type: row.artifact_type,
    mime_type: row.mime_type,
    size: row.size,
    original_size: row.size,
    is_compressed: row.is_compressed === 1,
    stored_size: row.stored_size,
    tags: JSON.parse(row.tags) as string[],
    custom: parseJson(row.custom) as Record<string, unknown>,
    version: { version: sequence, previous_hash: row.previous_hash, created_at: time(row.created_at) },
    created_at: time(row.created_at),
    created_by: row.created_by,
    parent_artifact: row.parent_artifact,
  };
}

/** Oldest first. */
export function queryArtifacts(db: Database, query: ArtifactQuery): ArtifactRow[] {
  const conditions: string[] = [];
  const values: SQLQueryBindings[] = [];
  const where = (condition: string, value: SQLQueryBindings | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  const { namePattern } = query;
  const isGlob = namePattern !== undefined && /[*?]/.test(namePattern);
  where("session_id = ?", query.sessionId);
  where("artifact_type = ?", query.type);
  where("instr(name, ?) > 0", isGlob ? undefined : namePattern);
  where("created_at >= ?", query.createdAfterMs);
  where("created_at <= ?", query.createdBeforeMs);
  where("artifact.size >= ?", query.minSizeBytes);
  where("artifact.size <= ?", query.maxSizeBytes);
  for (const tag of query.tags ?? [])
    where("EXISTS (SELECT 1 FROM json_each(artifact.tags) WHERE value = ?)", tag);
  const condition = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
  const statement = db.query(`${SELECT_ARTIFACT} ${condition} ORDER BY artifact.id`);
  const limit = query.limit ?? Number.POSITIVE_INFINITY;
  const found: ArtifactRow[] = [];
  for (const row of statement.iterate(...values) as Iterable<ArtifactRow>) {
    if (found.length >= limit) break;
    if (!isGlob || matchesWildcard(namePattern, row.name)) found.push(row);
  }
  return found;
}
