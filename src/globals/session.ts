/** `Session`: spec/lua-api.md section 5. */
import { Type } from "typebox";
import type { CallContext } from "./declare.ts";
import {
  AnyTable,
  AnyValue,
  type FunctionDecl,
  type GlobalDecl,
  local,
  lua,
  optional,
  param,
  wait,
} from "./declare.ts";
import { builderClass } from "./session/builder.ts";
import { sessionOptions, sessionQuery } from "./session/fields.ts";
import { GET, LIST } from "./session/objects.lua.ts";
import { replays } from "./session/replay.ts";
import { replayControlClass } from "./session/replay-control.ts";

const ID = param("id", Type.String(), "Id of the session");
const KEY = param("key", Type.String(), "The key");
const QUERY = optional(
  "query",
  AnyTable,
  "`status`, `tags` (all must match), `created_by`, `parent_session_id`, `search_text` (in name, description, tags), " +
    "`created_after`, `created_before` (RFC 3339), `limit`, `offset`, `sort_by` (`updated_at`, `created_at`, `name`, " +
    "`artifact_count`, `operation_count`), `sort_desc`",
);
const INFO =
  "{id, name, description, tags, status, created_at, updated_at, started_at, ended_at, created_by, parent_session_id, custom_metadata, artifact_count, total_artifact_size, operation_count}";

const sessions = (ctx: CallContext) => ctx.services.sessions();

type Move = "save" | "suspend" | "resume" | "complete" | "fail" | "archive" | "delete";

const moves = (name: Move, doc: string): FunctionDecl =>
  wait({
    doc,
    params: [ID],
    returns: "nil",
    handler: async (ctx, id) => (await sessions(ctx))[name](id),
  });

export const SessionGlobal: GlobalDecl = {
  name: "Session",
  doc:
    "Units of work with a life of their own: what they keep, their artifacts and what they did. Sessions are handled by " +
    "id. Present where `runtime.sessions.enabled` (or RAG) and state are on.",
  when: "sessions",
  bothSpellings: true,
  functions: {
    create: wait({
      doc: "Makes an active session.",
      params: [
        optional(
          "options",
          AnyTable,
          "`name`, `description`, `tags`, `metadata`, `created_by`, `parent_session_id`, `id` (a UUID)",
        ),
      ],
      returns: "id",
      handler: async (ctx, options) => (await (await sessions(ctx)).create(sessionOptions(options ?? {}))).id,
    }),
    builder: local({
      doc: "Starts a session that is described step by step.",
      params: [],
      returns: "SessionBuilder",
      handler: (ctx) => ctx.create("SessionBuilder", {}),
    }),
    get: lua({
      doc:
        "What a session is now. The table also has methods: `:get_id()`, `:get_name()` and the like, `:add_tag(tag)`, " +
        "`:remove_tag(tag)`, `:store_value(key, value)`, `:get_value(key)`, `:save()`, `:suspend()`, `:resume()`, " +
        "`:complete()`, `:fail()`, `:archive()`, `:delete()`, `:checkpoint(name)`, `:restore(id)`, `:replay(options)`, " +
        "`:refresh()`.",
      params: [ID],
      returns: INFO,
      source: GET,
    }),
    info: wait({
      doc: "",
      params: [ID],
      returns: INFO,
      internal: true,
      handler: async (ctx, id) => (await sessions(ctx)).get(id),
    }),
    list: lua({
      doc: "The sessions that match, ended ones included, the last used first; tables as `get` gives them.",
      params: [QUERY],
      returns: "array of info tables",
      aliases: ["query"],
      source: LIST,
    }),
    infos: wait({
      doc: "",
      params: [QUERY],
      returns: "array of info tables",
      internal: true,
      handler: async (ctx, query) => (await sessions(ctx)).list(sessionQuery(query ?? {})),
    }),
    save: moves(
      "save",
      "Writes what is still in memory and marks the session as saved: it can then be replayed.",
    ),
    load: wait({
      doc: "Reads a session back, of an earlier process for example.",
      params: [ID],
      returns: "id",
      handler: async (ctx, id) => (await (await sessions(ctx)).load(id)).id,
    }),
    complete: moves("complete", "Ends an active or suspended session."),
    suspend: moves("suspend", "Lets an active session rest: it stores nothing until `resume`."),
    resume: moves("resume", "Makes a suspended session active again."),
    fail: moves("fail", "Ends an active or suspended session as failed."),
    archive: moves("archive", "Puts an ended session away for good: it is never removed by age."),
    delete: moves("delete", "Removes a session with its values, artifacts and recording."),
    get_current: wait({
      doc: "The session for which tools, agents and models are recorded in this process.",
      params: [],
      returns: "id or nil",
      handler: async (ctx) => (await sessions(ctx)).current(),
    }),
    set_current: wait({
      doc: "Chooses that session; nil chooses none.",
      params: [optional("id", Type.String(), "Id of the session")],
      returns: "nil",
      handler: async (ctx, id) => (await sessions(ctx)).setCurrent(id ?? null),
    }),
    set_tags: wait({
      doc: "Replaces the tags.",
      params: [ID, param("tags", Type.Array(Type.String()), "All tags")],
      returns: "nil",
      handler: async (ctx, id, tags) => (await sessions(ctx)).setTags(id, tags),
    }),
    set_state: wait({
      doc: "Keeps a value in an active session; nil removes it.",
      params: [ID, KEY, optional("value", AnyValue, "Any value that JSON can say")],
      returns: "nil",
      aliases: ["set_value"],
      handler: async (ctx, id, key, value) => {
        const service = await sessions(ctx);
        if (value === null || value === undefined) await service.deleteValue(id, key);
        else await service.setValue(id, key, value);
      },
    }),
    get_state: wait({
      doc: "A value that was kept.",
      params: [ID, KEY],
      returns: "any value or nil",
      aliases: ["get_value"],
      handler: async (ctx, id, key) => (await sessions(ctx)).getValue(id, key) ?? null,
    }),
    list_state: wait({
      doc: "All values that were kept.",
      params: [ID],
      returns: "table by key",
      handler: async (ctx, id) => (await sessions(ctx)).values(id),
    }),
    checkpoint: wait({
      doc: "Keeps name, description, tags, metadata and values as they are now.",
      params: [ID, optional("name", Type.String(), "What to call it")],
      returns: "id of the checkpoint",
      handler: async (ctx, id, name) => (await sessions(ctx)).checkpoint(id, name),
    }),
    restore: wait({
      doc: "Puts a checkpoint back.",
      params: [ID, param("checkpoint", Type.String(), "Id of the checkpoint")],
      returns: "nil",
      handler: async (ctx, id, checkpoint) => (await sessions(ctx)).restore(id, checkpoint),
    }),
    list_checkpoints: wait({
      doc: "The checkpoints of a session, the oldest first.",
      params: [ID],
      returns: "array of {id, session_id, name, created_at}",
      handler: async (ctx, id) => (await sessions(ctx)).checkpoints(id),
    }),
    ...replays,
  },
  classes: [builderClass, replayControlClass],
};
