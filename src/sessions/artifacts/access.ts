/** Which other sessions may use an artifact, and how. */
import type { Database } from "bun:sqlite";
import { ACCESS_LEVELS, type ArtifactAccess } from "./service.ts";

/** Each level includes those before it. */
export const allows = (granted: ArtifactAccess, wanted: ArtifactAccess): boolean =>
  ACCESS_LEVELS.indexOf(granted) >= ACCESS_LEVELS.indexOf(wanted);

export function grantedAccess(db: Database, artifact: number, user: string): ArtifactAccess | undefined {
  const row = db
    .query("SELECT access FROM artifact_grant WHERE artifact_id = ? AND session_id = ?")
    .get(artifact, user) as { access: ArtifactAccess } | null;
  return row?.access;
}

export function writeGrant(
  db: Database,
  artifact: number,
  grantee: string,
  access: ArtifactAccess | undefined,
): void {
  if (access === undefined)
    db.query("DELETE FROM artifact_grant WHERE artifact_id = ? AND session_id = ?").run(artifact, grantee);
  else db.query("INSERT OR REPLACE INTO artifact_grant VALUES (?, ?, ?)").run(artifact, grantee, access);
}
