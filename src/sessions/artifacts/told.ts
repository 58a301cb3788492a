/** What the bus hears of artifacts: by the names of sessions (spec/kernel.md section 14) and of artifacts (section 15). */
import type { Announcer } from "../announce.ts";
import type { SessionRow } from "../rows.ts";
import type { ArtifactId } from "./service.ts";

/** `session/2/1f2e3d4c`. */
export const idText = ({ session_id, sequence, content_hash }: ArtifactId): string =>
  `${session_id}/${sequence}/${content_hash.slice(0, 8)}`;

export class ArtifactEvents {
  constructor(private readonly announcer: Announcer) {}

  /** @param parent what it was made from, as its metadata say */
  async stored(session: SessionRow, id: ArtifactId, size: number, parent: string | null): Promise<void> {
    await this.tell("session.artifact.stored", session, id, { size });
    await this.tell(id.sequence === 1 ? "artifact.created" : "artifact.versioned", session, id, { size });
    if (parent !== null) await this.tell("artifact.derived", session, id, { parent_artifact: parent });
  }

  /** Its content is the one that was stored. */
  async read(session: SessionRow, id: ArtifactId): Promise<void> {
    await this.tell("session.artifact.retrieved", session, id);
    await this.tell("artifact.accessed", session, id);
    await this.tell("artifact.validated", session, id);
  }

  damaged(session: SessionRow, id: ArtifactId, error: string): Promise<void> {
    return this.tell("artifact.validation_failed", session, id, { error });
  }

  async deleted(session: SessionRow, id: ArtifactId): Promise<void> {
    await this.tell("session.artifact.deleted", session, id);
    await this.tell("artifact.deleted", session, id);
  }

  private tell(
    type: string,
    session: SessionRow,
    id: ArtifactId,
    data: Record<string, unknown> = {},
  ): Promise<void> {
    return this.announcer.publish(type, session, { artifact_id: idText(id), name: id.name ?? null, ...data });
  }
}
