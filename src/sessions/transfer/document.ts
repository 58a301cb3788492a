/**
 * A session as a file: a tar archive with `session.json`, its BLAKE3 sum, and each content once, as it was stored, under
 * its own hash.
 */
import { type Static, Type } from "typebox";
import { RECORDED_KINDS } from "../../core/recording.ts";

export const DOCUMENT = "session.json";
export const DOCUMENT_SUM = "session.json.blake3";
export const CONTENTS = "artifacts/";

const text = Type.String();
const maybeText = Type.Union([Type.String(), Type.Null()]);
const integer = Type.Integer({ minimum: 0 });
const hash = Type.String({ pattern: "^[0-9a-f]{64}$" });
const json = Type.String({ description: "JSON" });

const SessionPart = Type.Object({
  id: Type.String({ pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }),
  name: maybeText,
  description: maybeText,
  status: Type.Enum(["active", "suspended", "completed", "failed", "archived"]),
  created_by: maybeText,
  parent_session_id: maybeText,
  correlation_id: text,
  created_at: integer,
  updated_at: integer,
  started_at: integer,
  ended_at: Type.Union([integer, Type.Null()]),
  saved_at: Type.Union([integer, Type.Null()]),
  tags: json,
  custom_metadata: json,
  operation_count: integer,
});

const ArtifactPart = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 255 }),
  version: Type.Integer({ minimum: 1 }),
  content_hash: hash,
  previous_hash: Type.Union([hash, Type.Null()]),
  artifact_type: Type.String({ minLength: 1 }),
  mime_type: maybeText,
  description: maybeText,
  size: integer,
  tags: json,
  custom: json,
  created_at: integer,
  created_by: maybeText,
  parent_artifact: maybeText,
});

const StepPart = Type.Object({
  step: Type.Integer({ minimum: 1 }),
  id: text,
  kind: Type.Enum([...RECORDED_KINDS]),
  name: text,
  input: json,
  output: Type.Union([json, Type.Null()]),
  error: maybeText,
  started_at: integer,
  duration_ms: Type.Number({ minimum: 0 }),
  correlation_id: text,
  within: Type.Optional(maybeText),
});

export const SessionDocument = Type.Object({
  format: Type.Literal("llmspell-session"),
  version: Type.Literal(1),
  session: SessionPart,
  values: Type.Array(Type.Object({ key: text, value: json })),
  checkpoints: Type.Array(Type.Object({ id: text, name: maybeText, created_at: integer, snapshot: json })),
  artifacts: Type.Array(ArtifactPart),
  steps: Type.Array(StepPart),
});
export type SessionDocument = Static<typeof SessionDocument>;
