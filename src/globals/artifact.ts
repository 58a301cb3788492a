/** `Artifact`: spec/lua-api.md section 14. */
import { Type } from "typebox";
import { SpellError } from "../core/errors.ts";
import { ScriptTable, type ScriptValue } from "../core/values.ts";
import {
  type ArtifactAccess,
  type ArtifactId,
  type ArtifactQuery,
  type ArtifactRecord,
  AUDIT_ACTIONS,
  type AuditAction,
  type AuditQuery,
} from "../sessions/artifacts/service.ts";
import { flag, integer, present, type Table, table, text, texts } from "./agent/fields.ts";
import { AnyTable, BytesOrText, type GlobalDecl, optional, param, wait } from "./declare.ts";
import { natural, timeOf } from "./session/fields.ts";

const SESSION = param("session_id", Type.String(), 'Id of the session; `""` is the current one');
const ARTIFACT = param("id", AnyTable, "What `store` returned, or `id` of a record");
const METADATA = optional(
  "metadata",
  AnyTable,
  "`mime_type` and `tags` become fields of the record, all else its `custom`",
);
const TYPE = param(
  "type",
  Type.String(),
  "`agent_output`, `tool_result`, `user_input`, `system_generated`, or a word of your own",
);
const RECORD =
  "{id, name, description, artifact_type, type, mime_type, size, tags, custom, version = {version, previous_hash, created_at}, created_at, created_by, parent_artifact, is_compressed, original_size, stored_size, content_hash, session_id, sequence}";

/** @throws SpellError invalid_argument */
function artifactId(given: Table): ArtifactId {
  // a record will do as well
  const id = table(given.id) ?? given;
  const [hash, session, sequence, name] = [
    text(id.content_hash),
    text(id.session_id),
    integer(id.sequence),
    text(id.name),
  ];
  if (hash === undefined || session === undefined || sequence === undefined)
    throw new SpellError(
      "invalid_argument",
      "Invalid artifact ID: it must have content_hash, session_id and sequence",
      { hint: "Use the table that Artifact.store returned" },
    );
  return {
    content_hash: hash,
    session_id: session,
    sequence,
    ...(name === undefined ? {} : { name }),
  };
}

function artifactQuery(given: Table): ArtifactQuery {
  return present<ArtifactQuery>({
    sessionId: text(given.session_id) || undefined,
    type: text(given.type) ?? text(given.artifact_type),
    namePattern: text(given.name_pattern),
    tags: texts(given.tags),
    createdAfterMs: timeOf("created_after", given.created_after),
    createdBeforeMs: timeOf("created_before", given.created_before),
    minSizeBytes: natural(given.min_size),
    maxSizeBytes: natural(given.max_size),
    limit: natural(given.limit),
  });
}

/** @throws SpellError invalid_argument */
function auditQuery(given: Table): AuditQuery {
  const action = text(given.action);
  if (action !== undefined && !(AUDIT_ACTIONS as readonly string[]).includes(action))
    throw new SpellError(
      "invalid_argument",
      `Invalid filter: "action" must be one of ${AUDIT_ACTIONS.join(", ")}: ${action}`,
    );
  return present<AuditQuery>({
    sessionId: text(given.session_id) || undefined,
    action: action as AuditAction | undefined,
    allowed: flag(given.allowed),
    limit: natural(given.limit),
  });
}

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

const recordTable = (record: ArtifactRecord): ScriptTable =>
  new ScriptTable({ fields: record as unknown as Record<string, ScriptValue> });

export const ArtifactGlobal: GlobalDecl = {
  name: "Artifact",
  doc:
    "Contents that sessions keep, under their BLAKE3 hash, each once. Storing under a name that is taken makes its next " +
    "version. Present with Session.",
  when: "sessions",
  bothSpellings: true,
  functions: {
    store: wait({
      doc: "Keeps a content in an active session: at most 100 MB, of any bytes.",
      params: [
        SESSION,
        TYPE,
        param("name", Type.String(), "Its name, at most 255 characters"),
        param("content", BytesOrText, "The content"),
        METADATA,
      ],
      returns: "{content_hash, session_id, sequence, name}",
      handler: async (ctx, session, type, name, content, metadata) =>
        (await ctx.services.sessions()).artifacts.store(session, {
          type,
          name,
          content: bytesOf(content),
          metadata: metadata ?? {},
        }),
    }),
    get: wait({
      doc: "The content, checked against its hash, and its record. The session must own it or have been granted access.",
      params: [SESSION, ARTIFACT],
      returns: "{content, metadata}",
      handler: async (ctx, session, id) => {
        const { artifacts } = await ctx.services.sessions();
        const { content, metadata } = await artifacts.get(session, artifactId(id));
        return { content, metadata: recordTable(metadata) };
      },
    }),
    list: wait({
      doc: "The artifacts of a session, the oldest first.",
      params: [SESSION],
      returns: `array of ${RECORD}`,
      handler: async (ctx, session) =>
        (await (await ctx.services.sessions()).artifacts.list(session)).map(recordTable),
    }),
    delete: wait({
      doc: "Removes an artifact; its content goes with the last artifact that has it.",
      params: [SESSION, ARTIFACT],
      returns: "nil",
      handler: async (ctx, session, id) =>
        (await ctx.services.sessions()).artifacts.delete(session, artifactId(id)),
    }),
    store_file: wait({
      doc: "Keeps the content of a file under its name. The file must lie where tools may read.",
      params: [SESSION, param("path", Type.String(), "The file"), TYPE, METADATA],
      returns: "{content_hash, session_id, sequence, name}",
      handler: async (ctx, session, path, type, metadata) =>
        (await ctx.services.sessions()).artifacts.storeFile(session, {
          path,
          type,
          metadata: metadata ?? {},
          signal: ctx.run.signal,
        }),
    }),
    query: wait({
      doc: "The artifacts that match, of all sessions unless one is named, the oldest first.",
      params: [
        optional(
          "filter",
          AnyTable,
          "`session_id`, `type`, `name_pattern` (with `*` the whole name, else a part), `tags` (all must match), " +
            "`created_after`, `created_before` (RFC 3339), `min_size`, `max_size` (bytes), `limit`",
        ),
      ],
      returns: "array of records as `list` gives them",
      handler: async (ctx, filter) =>
        (await ctx.services.sessions()).artifacts.query(artifactQuery(filter ?? {})).map(recordTable),
    }),
    grant: wait({
      doc: "Lets another session use the artifact: `read` it, `write` (delete it too), or `admin` (grant too).",
      params: [
        SESSION,
        ARTIFACT,
        param("grantee", Type.String(), "Id of the other session"),
        param("access", Type.Enum(["read", "write", "admin"]), "What it may do"),
      ],
      returns: "nil",
      handler: async (ctx, session, id, grantee, access) =>
        (await ctx.services.sessions()).artifacts.grant(
          session,
          artifactId(id),
          grantee,
          access as ArtifactAccess,
        ),
    }),
    audit: wait({
      doc: "Who used which artifact in this process, refusals included, the newest last; the last 10,000 uses are kept.",
      params: [
        optional(
          "filter",
          AnyTable,
          "`session_id`, `action` (`read`, `write`, `delete`, `list`, `share`, `change_permissions`), `allowed`, `limit` (the newest so many)",
        ),
      ],
      returns: "array of {timestamp, session_id, action, artifact, name, allowed}",
      handler: async (ctx, filter) =>
        (await ctx.services.sessions()).artifacts.audit(auditQuery(filter ?? {})),
    }),
    revoke: wait({
      doc: "Takes the access of another session away.",
      params: [SESSION, ARTIFACT, param("grantee", Type.String(), "Id of the other session")],
      returns: "nil",
      handler: async (ctx, session, id, grantee) =>
        (await ctx.services.sessions()).artifacts.grant(session, artifactId(id), grantee, undefined),
    }),
  },
};
