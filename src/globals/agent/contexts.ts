/** Functions of the Agent global for execution contexts and shared memory. */
import { type TSchema, Type } from "typebox";
import type { ContextOptions, Inheritance } from "../../agents/contexts.ts";
import type { Scope } from "../../agents/shared-memory.ts";
import { SpellError } from "../../core/errors.ts";
import type { ScriptValue } from "../../core/values.ts";
import { AnyTable, AnyValue, type FunctionDecl, optional, param, wait } from "../declare.ts";
import { present, type Table, table, text, texts } from "./fields.ts";

const ContextId = param("id", Type.String(), "What `Agent.create_context` returned");
const Key = param("key", Type.String(), "The key");
const SCOPE = '`"global"`, or `{type = "global|session|workflow|agent|user", id = ...}`';
const INHERITANCE =
  "`inherit` (default: reads fall through to the parent), `isolate`, `copy` or `share` (writes go to the parent too)";

const nothing = null;

export const contextFunctions: Record<string, FunctionDecl> = {
  create_context: wait({
    doc: "Makes an execution context: a table of values that agents get with `execute_with_context`.",
    params: [
      param(
        "config",
        AnyValue,
        "`{conversation_id?, user_id?, session_id?, scope?, inheritance?, data?, security?}`; or a name, with the data after it",
      ),
      optional("data", AnyTable, "The data, when a name comes first"),
    ],
    returns: "string: the context's id",
    handler: async (ctx, config, data) => {
      const given: Table = table(config) ?? present<Table>({ conversation_id: text(config), data });
      return (await ctx.services.agents()).contexts.create(contextOptions(given));
    },
  }),
  create_child_context: wait({
    doc: "Makes a context below another. Raises on an unknown parent.",
    params: [
      param("parent_id", Type.String(), "The parent's id"),
      optional("scope", AnyValue, SCOPE),
      optional("inheritance", Type.String(), INHERITANCE),
    ],
    returns: "string: the context's id",
    handler: async (ctx, parentId, scope, inheritance) =>
      (await ctx.services.agents()).contexts.createChild(
        parentId,
        scopeOf(scope),
        inheritanceOf(inheritance),
      ),
  }),
  update_context: wait({
    doc: "Sets a value; nil hides it. Raises on an unknown context.",
    params: [ContextId, Key, optional("value", AnyValue, "The value")],
    returns: "nil",
    handler: async (ctx, id, key, value) => {
      (await ctx.services.agents()).contexts.update(id, key, value);
      return nothing;
    },
  }),
  get_context_data: wait({
    doc: "The value under a key, else what the context was made with (`user_id`, `scope` and so on). Raises on an unknown context.",
    params: [ContextId, Key],
    returns: "any value or nil",
    handler: async (ctx, id, key) => (await ctx.services.agents()).contexts.get(id, key) ?? nothing,
  }),
  remove_context: wait({
    doc: "Removes a context and those below it. Raises on an unknown context.",
    params: [ContextId],
    returns: "nil",
    handler: async (ctx, id) => {
      (await ctx.services.agents()).contexts.remove(id);
      return nothing;
    },
  }),
  set_shared_memory: wait({
    doc: "Sets a value that all agents and scripts of this process share; without a scope it is global. nil removes it.",
    params: [
      param("scope", AnyValue, `${SCOPE}; or the key, when the value comes next`),
      param("key", AnyValue as TSchema, "The key; or the value"),
      optional("value", AnyValue, "The value"),
    ],
    returns: "nil",
    handler: async (ctx, first, second, value) => {
      const { sharedMemory } = await ctx.services.agents();
      const short = value === undefined && !isScope(first);
      const key = text(short ? first : second);
      if (key === undefined) throw invalid("key", "must be a string", short ? first : second);
      sharedMemory.set(short ? { type: "global" } : scopeOf(first), key, short ? second : value);
      return nothing;
    },
  }),
  get_shared_memory: wait({
    doc: "The shared value under a key; without a scope the global one.",
    params: [
      param("scope", AnyValue, `${SCOPE}; or the key alone`),
      optional("key", Type.String(), "The key"),
    ],
    returns: "any value or nil",
    handler: async (ctx, first, second) => {
      const { sharedMemory } = await ctx.services.agents();
      const key = second ?? text(first);
      if (key === undefined) throw invalid("key", "must be a string", first);
      return sharedMemory.get(second === undefined ? { type: "global" } : scopeOf(first), key) ?? nothing;
    },
  }),
};

function contextOptions(given: Table): ContextOptions {
  const security = table(given.security);
  return present<ContextOptions>({
    conversationId: text(given.conversation_id),
    userId: text(given.user_id),
    sessionId: text(given.session_id),
    scope: given.scope === undefined ? undefined : scopeOf(given.scope),
    inheritance: inheritanceOf(text(given.inheritance)),
    data: table(given.data),
    security:
      security === undefined
        ? undefined
        : { permissions: texts(security.permissions) ?? [], level: text(security.level) ?? "default" },
  });
}

const SCOPE_TYPES: readonly string[] = [
  "global",
  "session",
  "workflow",
  "agent",
  "user",
] satisfies Scope["type"][];
const INHERITANCES: readonly string[] = ["inherit", "isolate", "copy", "share"] satisfies Inheritance[];

const isScope = (value: ScriptValue): boolean => value === "global" || table(value) !== undefined;

function scopeOf(value: ScriptValue): Scope {
  const given = table(value);
  const type = text(given === undefined ? (value ?? "global") : given.type)?.toLowerCase();
  if (type === undefined || !SCOPE_TYPES.includes(type)) {
    throw invalid("scope", `must be one of ${SCOPE_TYPES.join(", ")}`, value);
  }
  return present<Scope>({ type: type as Scope["type"], id: text(given?.id) });
}

function inheritanceOf(value: string | undefined): Inheritance {
  const word = value?.toLowerCase() ?? "inherit";
  if (!INHERITANCES.includes(word))
    throw invalid("inheritance", `must be one of ${INHERITANCES.join(", ")}`, value);
  return word as Inheritance;
}

const invalid = (field: string, rule: string, value: unknown) =>
  new SpellError("invalid_argument", `Cannot use context: "${field}" ${rule}: ${JSON.stringify(value)}`);
