/** What sessions keep: contents with a name, a type and a history. */

export interface ArtifactId {
  /** BLAKE3 of the content, in hexadecimal digits. */
  content_hash: string;
  session_id: string;
  /** The version under its name. */
  sequence: number;
  /** Tells artifacts of one session apart that have the same content and version. */
  name?: string;
}

export interface ArtifactRecord {
  id: ArtifactId;
  content_hash: string;
  session_id: string;
  sequence: number;
  name: string;
  description: string | null;
  /** `ToolResult`, `Custom("markdown")`. */
  artifact_type: string;
  /** The type as it was given: `tool_result`, `markdown`. */
  type: string;
  mime_type: string | null;
  /** Bytes of the content. */
  size: number;
  original_size: number;
  is_compressed: boolean;
  /** Bytes that the content takes in the store. */
  stored_size: number;
  tags: string[];
  custom: Record<string, unknown>;
  version: { version: number; previous_hash: string | null; created_at: string };
  created_at: string;
  created_by: string | null;
  parent_artifact: string | null;
}

export interface ArtifactInput {
  type: string;
  name: string;
  content: Uint8Array;
  /** `mime_type` and `tags` become fields, the rest stays together as `custom`. */
  metadata?: Record<string, unknown>;
}

export interface ArtifactQuery {
  sessionId?: string;
  type?: string;
  /** With `*` or `?` for the whole name, else a part of it. */
  namePattern?: string;
  tags?: readonly string[];
  createdAfterMs?: number;
  createdBeforeMs?: number;
  minSizeBytes?: number;
  maxSizeBytes?: number;
  limit?: number;
}

export const ACCESS_LEVELS = ["read", "write", "admin"] as const;
export type ArtifactAccess = (typeof ACCESS_LEVELS)[number];

export const AUDIT_ACTIONS = ["read", "write", "delete", "list", "share", "change_permissions"] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** One use of artifacts, allowed or not. */
export interface AuditEntry {
  /** RFC 3339. */
  timestamp: string;
  /** The session that asked. */
  session_id: string;
  action: AuditAction;
  /** As `session/sequence/hash`; null for a list. */
  artifact: string | null;
  name: string | null;
  allowed: boolean;
}

export interface AuditQuery {
  sessionId?: string;
  action?: AuditAction;
  allowed?: boolean;
  /** The newest so many. */
  limit?: number;
}

/** A session id of `""` is the current session. All: @throws SpellError invalid_argument, not_found. */
export interface ArtifactService {
  /** @throws SpellError limit, io */
  store(sessionId: string, input: ArtifactInput): Promise<ArtifactId>;
  /** Reads the file as tools may. @throws SpellError permission_denied, limit, io */
  storeFile(
    sessionId: string,
    file: { path: string; type: string; metadata?: Record<string, unknown>; signal: AbortSignal },
  ): Promise<ArtifactId>;
  /** @throws SpellError permission_denied for another session's, io for a damaged content */
  get(sessionId: string, id: ArtifactId): Promise<{ metadata: ArtifactRecord; content: Uint8Array }>;
  list(sessionId: string): Promise<ArtifactRecord[]>;
  query(query: ArtifactQuery): ArtifactRecord[];
  delete(sessionId: string, id: ArtifactId): Promise<void>;
  /** Lets another session use the artifact; undefined takes its access away. */
  grant(
    sessionId: string,
    id: ArtifactId,
    grantee: string,
    access: ArtifactAccess | undefined,
  ): Promise<void>;
  /** Uses of artifacts by this process, the newest last; the last 10,000 are kept. */
  audit(query?: AuditQuery): AuditEntry[];
}
