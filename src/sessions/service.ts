/** Sessions, their artifacts and what they recorded: spec/kernel.md sections 14 to 16. Types only. */
import type { ArtifactService } from "./artifacts/service.ts";
import type { Recorder, ReplayService } from "./replay/service.ts";

export type SessionStatus = "active" | "suspended" | "completed" | "failed" | "archived";

/** A session as scripts and front ends are shown it. Times are RFC 3339. */
export interface SessionInfo {
  id: string;
  name: string | null;
  description: string | null;
  status: SessionStatus;
  tags: string[];
  created_at: string;
  /** Last activity. */
  updated_at: string;
  started_at: string;
  ended_at: string | null;
  created_by: string | null;
  parent_session_id: string | null;
  custom_metadata: Record<string, unknown>;
  artifact_count: number;
  /** Bytes of all artifacts as they were stored, before compression. */
  total_artifact_size: number;
  operation_count: number;
}

export interface SessionOptions {
  /** A UUID; a new one when absent. */
  id?: string;
  name?: string;
  description?: string;
  createdBy?: string;
  tags?: readonly string[];
  parentSessionId?: string;
  metadata?: Record<string, unknown>;
}

export const SORT_KEYS = ["created_at", "updated_at", "name", "artifact_count", "operation_count"] as const;

export interface SessionQuery {
  status?: SessionStatus;
  createdBy?: string;
  /** All of them must be there. */
  tags?: readonly string[];
  parentSessionId?: string;
  createdAfterMs?: number;
  createdBeforeMs?: number;
  /** Found in name, description or a tag, in any letter case. */
  searchText?: string;
  limit?: number;
  offset?: number;
  /** Default `updated_at`. */
  sortBy?: (typeof SORT_KEYS)[number];
  /** Default: the newest first; names from A. */
  sortDescending?: boolean;
}

export interface CheckpointInfo {
  id: string;
  session_id: string;
  name: string | null;
  created_at: string;
}

/** Every method that takes an id: @throws SpellError invalid_argument (no UUID), not_found. */
export interface SessionService {
  /** @throws SpellError limit (`active_sessions`), already_exists, permission_denied (a hook) */
  create(options?: SessionOptions): Promise<SessionInfo>;
  get(id: string): SessionInfo;
  /** Ended ones included. */
  list(query?: SessionQuery): SessionInfo[];
  /** Writes what is still in memory and marks the session as saved. */
  save(id: string): Promise<void>;
  /** Reads the session back and tells so. */
  load(id: string): Promise<SessionInfo>;
  /** @throws SpellError invalid_argument for a move that is not allowed */
  suspend(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  complete(id: string): Promise<void>;
  fail(id: string): Promise<void>;
  archive(id: string): Promise<void>;
  /** With its values, checkpoints, recording and artifacts. */
  delete(id: string): Promise<void>;
  setTags(id: string, tags: readonly string[]): Promise<void>;
  /** The session for which this process records; null for none. */
  current(): Promise<string | null>;
  setCurrent(id: string | null): void;

  getValue(id: string, key: string): unknown;
  /** @throws SpellError invalid_argument where the session is not active or JSON cannot say the value */
  setValue(id: string, key: string, value: unknown): Promise<void>;
  deleteValue(id: string, key: string): Promise<void>;
  values(id: string): Record<string, unknown>;

  /** Keeps name, description, tags, metadata and values as they are now. @returns its id */
  checkpoint(id: string, name?: string): Promise<string>;
  /** Puts them back. @throws SpellError not_found for a checkpoint that the session does not have */
  restore(id: string, checkpointId: string): Promise<void>;
  checkpoints(id: string): CheckpointInfo[];

  /** Publishes `session.custom.NAME` with the session's correlation id. */
  announce(id: string, name: string, data: Record<string, unknown>): Promise<void>;

  readonly artifacts: ArtifactService;
  readonly replay: ReplayService;
  readonly recorder: Recorder;

  /** Writes the session into one file. @throws SpellError io, already_exists */
  export(id: string, path: string): Promise<ExportSummary>;
  /** @throws SpellError invalid_argument (no such file, damaged), already_exists */
  import(path: string): Promise<ExportSummary>;

  /** Saves what this process used. */
  dispose(): Promise<void>;
}

export interface ExportSummary {
  session_id: string;
  path: string;
  artifacts: number;
  steps: number;
  size_bytes: number;
}
