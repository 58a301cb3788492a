/** The artifacts of sessions: who may use them, their versions, their limits. */

import type { Database } from "bun:sqlite";
import { basename } from "node:path";
import type { Config } from "../../config/schema.ts";
import { nowMs } from "../../core/clock.ts";
import { messageOf, SpellError } from "../../core/errors.ts";
import { stringifyJson } from "../../core/json.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Announcer } from "../announce.ts";
import { sessionId } from "../ids.ts";
import { readSession, type SessionRow } from "../rows.ts";
import { checkTags } from "../tags.ts";
import { allows, grantedAccess, writeGrant } from "./access.ts";
import { Audit } from "./audit.ts";
import { type Content, Contents } from "./contents.ts";
import { type ArtifactRow, queryArtifacts, recordOf, SELECT_ARTIFACT } from "./rows.ts";
import type {
  ArtifactAccess,
  ArtifactId,
  ArtifactInput,
  ArtifactQuery,
  ArtifactRecord,
  ArtifactService,
  AuditAction,
  AuditEntry,
  AuditQuery,
} from "./service.ts";
import { ArtifactEvents, idText } from "./told.ts";
import { typeWord } from "./types.ts";

export interface ArtifactDependencies {
  storage: Storage;
  /** Where large contents are files; undefined: nowhere. */
  directory: string | undefined;
  /** Files that are there are left as they are, and none is made. */
  readsOnly?: boolean;
  settings: () => Config["runtime"]["sessions"];
  announcer: Announcer;
  current: () => Promise<string | null>;
  /** A session did something. */
  touch: (sessionId: string) => void;
  /** A file as tools may read it. */
  readFile: (path: string, mostBytes: number, signal: AbortSignal) => Promise<Uint8Array>;
}

export const LARGEST_BYTES = 100 * 1024 * 1024;
const LONGEST_NAME = 255;

/** What an artifact is, apart from its content and version. */
export type ArtifactFields = Pick<
  ArtifactRow,
  | "session_id"
  | "name"
  | "artifact_type"
  | "mime_type"
  | "description"
  | "tags"
  | "custom"
  | "created_at"
  | "created_by"
  | "parent_artifact"
>;

export class Artifacts implements ArtifactService {
  readonly contents: Contents;
  private readonly uses = new Audit();
  private readonly events: ArtifactEvents;

  constructor(private readonly to: ArtifactDependencies) {
    this.events = new ArtifactEvents(to.announcer);
    this.contents = new Contents(to.storage, to.directory, to.readsOnly);
  }

  async store(session: string, input: ArtifactInput): Promise<ArtifactId> {
    const owner = await this.session(session);
    const { name, content, metadata = {} } = input;
    checkName(name);
    checkSize(name, content.length);
    checkActive(owner);
    const fields: ArtifactFields = {
      session_id: owner.id,
      name,
      artifact_type: typeWord(input.type),
      created_at: nowMs(),
      ...fieldsOf(metadata),
    };
    const version = await this.put(content, (db, prepared) => {
      const present = readSession(db, owner.id);
      checkActive(present);
      this.checkRoom(db, present, prepared);
      return insertArtifact(db, fields, prepared);
    });
    const id = { content_hash: version.hash, session_id: owner.id, sequence: version.sequence, name };
    this.to.touch(owner.id);
    this.note(owner.id, "write", id);
    await this.events.stored(owner, id, content.length, fields.parent_artifact);
    await this.to.announcer.runHooks("AfterToolExecution", "store artifact", owner, {
      action: "store_artifact",
      artifact_id: id,
      artifact_type: fields.artifact_type,
      name,
      size: content.length,
    });
    return id;
  }

  /** Makes the content lasting and names it in one write. */
  private async put(
    bytes: Uint8Array,
    name: (db: Database, content: Content) => number,
  ): Promise<{ hash: string; sequence: number }> {
    let content = await this.prepare(bytes);
    try {
      for (;;) {
        const sequence = await this.to.storage.write((db) =>
          this.contents.add(db, content) ? name(db, content) : undefined,
        );
        if (sequence !== undefined) return { hash: content.hash, sequence };
        content = await this.pack(content.hash, bytes);
      }
    } catch (error) {
      await this.contents.removeUnused([content.hash]);
      throw error;
    }
  }

  prepare(bytes: Uint8Array): Promise<Content> {
    return this.contents.prepare(bytes, this.to.settings().artifact_compression_threshold);
  }

  pack(hash: string, bytes: Uint8Array): Promise<Content> {
    return this.contents.pack(hash, bytes, this.to.settings().artifact_compression_threshold);
  }

  async storeFile(
    session: string,
    file: { path: string; type: string; metadata?: Record<string, unknown>; signal: AbortSignal },
  ): Promise<ArtifactId> {
    const content = await this.to.readFile(file.path, LARGEST_BYTES, file.signal);
    const mime = Bun.file(file.path).type.split(";")[0];
    return this.store(session, {
      type: file.type,
      name: basename(file.path),
      content,
      metadata: { ...(mime === undefined ? {} : { mime_type: mime }), ...file.metadata },
    });
  }

  async get(session: string, id: ArtifactId): Promise<{ metadata: ArtifactRecord; content: Uint8Array }> {
    const user = await this.session(session);
    const row = this.find(id);
    this.checkAccess(user.id, row, "read", "read");
    const metadata = recordOf(row);
    const content = await this.contents.read(row.content_hash).catch(async (error: unknown) => {
      // removed between the two readings
      if (this.to.storage.read((db) => findArtifact(db, id)) === null) throw artifactNotFound(id);
      await this.events.damaged(user, metadata.id, messageOf(error));
      throw named(error, row);
    });
    await this.events.read(user, metadata.id);
    return { metadata, content };
  }

  async list(session: string): Promise<ArtifactRecord[]> {
    const { id } = await this.session(session);
    this.note(id, "list");
    return this.query({ sessionId: id });
  }

  query(query: ArtifactQuery): ArtifactRecord[] {
    const known = {
      ...query,
      ...(query.sessionId === undefined ? {} : { sessionId: sessionId(query.sessionId) }),
      ...(query.type === undefined ? {} : { type: typeWord(query.type) }),
    };
    return this.to.storage.read((db) => queryArtifacts(db, known)).map(recordOf);
  }

  async delete(session: string, id: ArtifactId): Promise<void> {
    const user = await this.session(session);
    const row = this.find(id);
    this.checkAccess(user.id, row, "write", "delete");
    await this.to.storage.write((db) => db.query("DELETE FROM artifact WHERE id = ?").run(row.id));
    await this.contents.removeUnused([row.content_hash]);
    this.to.touch(row.session_id);
    await this.events.deleted(user, recordOf(row).id);
  }

  async grant(
    session: string,
    id: ArtifactId,
    grantee: string,
    access: ArtifactAccess | undefined,
  ): Promise<void> {
    const user = await this.session(session);
    const row = this.find(id);
    this.checkAccess(user.id, row, "admin", access === undefined ? "change_permissions" : "share");
    await this.to.storage.write((db) => {
      readSession(db, sessionId(grantee));
      writeGrant(db, row.id, sessionId(grantee), access);
    });
  }

  /** The hashes that the artifacts of a session name. */
  contentsOf(db: Database, id: string): string[] {
    const rows = db.query("SELECT DISTINCT content_hash FROM artifact WHERE session_id = ?").all(id);
    return (rows as { content_hash: string }[]).map((row) => row.content_hash);
  }

  /** The session, or the current one for `""`. @throws SpellError */
  private async session(id: string): Promise<SessionRow> {
    const given = id === "" ? await this.to.current() : sessionId(id);
    if (given === null)
      throw new SpellError("invalid_argument", "Cannot use artifacts: there is no current session", {
        hint: "Name a session, or call Session.set_current(id) first",
      });
    return this.to.storage.read((db) => readSession(db, given));
  }

  private find(id: ArtifactId): ArtifactRow {
    const row = this.to.storage.read((db) => findArtifact(db, id));
    if (row === null) throw artifactNotFound(id);
    return row;
  }

  private checkAccess(user: string, row: ArtifactRow, wanted: ArtifactAccess, action: AuditAction): void {
    const allowed = user === row.session_id || this.isGranted(user, row, wanted);
    this.note(user, action, recordOf(row).id, allowed);
    if (allowed) return;
    throw new SpellError(
      "permission_denied",
      `Access denied: session ${user} has no ${wanted} access to artifact ${row.name} of session ${row.session_id}`,
      {
        data: { session_id: user, owner: row.session_id, wanted },
        hint: "Artifact.grant of the session that owns it gives access",
      },
    );
  }

  private isGranted(user: string, row: ArtifactRow, wanted: ArtifactAccess): boolean {
    const granted = this.to.storage.read((db) => grantedAccess(db, row.id, user));
    return granted !== undefined && allows(granted, wanted);
  }

  private note(session: string, action: AuditAction, id?: ArtifactId, allowed = true): void {
    this.uses.note({
      session_id: session,
      action,
      artifact: id === undefined ? null : idText(id),
      name: id?.name ?? null,
      allowed,
    });
  }

  audit(query: AuditQuery = {}): AuditEntry[] {
    const { sessionId: session } = query;
    return this.uses.query(session === undefined ? query : { ...query, sessionId: sessionId(session) });
  }

  /** @throws SpellError limit */
  private checkRoom(db: Database, owner: SessionRow, content: Content): void {
    const { max_artifacts_per_session: most, max_storage_bytes: mostBytes } = this.to.settings();
    if (owner.artifact_count >= most)
      throw exceeded("artifacts_per_session", `Maximum artifacts per session (${most}) reached`, {
        most,
        hint: "Delete artifacts, or raise runtime.sessions.max_artifacts_per_session",
      });
    const { stored_size: used } = db.query("SELECT stored_size FROM artifact_total").get() as {
      stored_size: number;
    };
    // a new content is counted already
    if (used > mostBytes)
      throw exceeded(
        "storage",
        `Maximum storage (${mostBytes} bytes) reached with ${content.sizeBytes} more`,
        {
          most: mostBytes,
          hint: "Delete artifacts or sessions, or raise runtime.sessions.max_storage_bytes",
        },
      );
  }
}

/** @returns the version */
export function insertArtifact(db: Database, fields: ArtifactFields, content: Content): number {
  const last = db
    .query(
      "SELECT version, content_hash FROM artifact WHERE session_id = ? AND name = ? ORDER BY version DESC",
    )
    .get(fields.session_id, fields.name) as { version: number; content_hash: string } | null;
  const version = (last?.version ?? 0) + 1;
  writeArtifact(db, {
    ...fields,
    version,
    content_hash: content.hash,
    previous_hash: last?.content_hash ?? null,
    size: content.sizeBytes,
  });
  return version;
}

export function writeArtifact(
  db: Database,
  row: Omit<ArtifactRow, "id" | "is_compressed" | "stored_size">,
): void {
  db.query(
    `INSERT INTO artifact (session_id, name, version, content_hash, previous_hash, artifact_type, mime_type,
       description, size, tags, custom, created_at, created_by, parent_artifact)
     VALUES ($session_id, $name, $version, $content_hash, $previous_hash, $artifact_type, $mime_type,
       $description, $size, $tags, $custom, $created_at, $created_by, $parent_artifact)`,
  ).run(row);
}

/** @throws SpellError invalid_argument where a name is needed */
function findArtifact(db: Database, id: ArtifactId): ArtifactRow | null {
  const rows = db
    .query(
      `${SELECT_ARTIFACT} WHERE session_id = ? AND version = ? AND content_hash = ? AND (?4 IS NULL OR name = ?4) LIMIT 2`,
    )
    .all(id.session_id, id.sequence, id.content_hash, id.name ?? null) as ArtifactRow[];
  if (rows.length < 2) return rows[0] ?? null;
  throw new SpellError(
    "invalid_argument",
    `Invalid artifact ID: several artifacts have this content and version: ${idText(id)}`,
    { hint: "Use the whole id as Artifact.store or Artifact.list gave it: its name tells them apart" },
  );
}

const artifactNotFound = (id: ArtifactId): SpellError =>
  new SpellError("not_found", `Artifact not found: ${idText(id)}`, {
    hint: "Artifact.list(session_id) shows the artifacts of a session",
  });

/** The failure, with the artifact that it is about. */
function named(error: unknown, row: ArtifactRow): unknown {
  if (!(error instanceof SpellError)) return error;
  return new SpellError(error.code, error.message.replace("artifact:", `artifact "${row.name}":`), {
    data: { ...error.data, artifact: row.name, session_id: row.session_id },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

function checkActive({ status, id }: SessionRow): void {
  if (status === "active") return;
  throw new SpellError("invalid_argument", `Invalid operation: Cannot store artifacts in ${status} session`, {
    data: { session_id: id, status },
    ...(status === "suspended" ? { hint: "Session.resume(id) makes it active again" } : {}),
  });
}

function checkName(name: string): void {
  if (name !== "" && name.length <= LONGEST_NAME) return;
  throw new SpellError(
    "invalid_argument",
    `Invalid artifact name: it must have 1 to ${LONGEST_NAME} characters: ${name === "" ? "it is empty" : name.length}`,
  );
}

function checkSize(name: string, sizeBytes: number): void {
  if (sizeBytes <= LARGEST_BYTES) return;
  throw exceeded("artifact_size", `"${name}" has ${sizeBytes} bytes, and ${LARGEST_BYTES} are allowed`, {
    most: LARGEST_BYTES,
  });
}

function exceeded(limit: string, text: string, { most, hint }: { most: number; hint?: string }): SpellError {
  return new SpellError("limit", `Resource limit exceeded: ${limit} - ${text}`, {
    data: { limit, most },
    ...(hint === undefined ? {} : { hint }),
  });
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

function fieldsOf(metadata: Record<string, unknown>) {
  const { mime_type, tags, ...custom } = metadata;
  const given = Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  return {
    mime_type: text(mime_type),
    tags: stringifyJson(checkTags(given)),
    custom: stringifyJson(custom),
    description: text(custom.description),
    created_by: text(custom.created_by),
    parent_artifact: text(custom.parent_artifact),
  };
}
