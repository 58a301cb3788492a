/** `State`: spec/lua-api.md section 4. */
import { Type } from "typebox";
import { SpellError } from "../core/errors.ts";
import type { ScriptValue } from "../core/values.ts";
import { describeValue } from "./check.ts";
import {
  AnyValue,
  type CallContext,
  type GlobalDecl,
  LuaFunction,
  optional,
  type Param,
  param,
  wait,
} from "./declare.ts";
import { backupFunctions } from "./state/backup.ts";
import { migrationFunctions } from "./state/migration.ts";
import { actAs, ScopedStateClass } from "./state/scoped.ts";

const scopeParam = param(
  "scope",
  Type.String(),
  "`global`, `user:ID`, `session:ID`, `agent:ID`, `tool:ID`, `workflow:ID`, `hook:ID`, `custom:ID`, or any other text",
);
const keyParam = param("key", Type.String(), "1 to 256 characters; `temp:` and `cache:` are not stored");
const valueParam = optional("value", AnyValue, "Anything but functions and objects; nil is stored as nil");
const idParam = (what: string) => param("id", Type.String(), `Id of the ${what}`);

type Context = CallContext;

const optionsOf = ({ run }: Context) => ({ correlationId: run.id, signal: run.signal });

async function load(ctx: Context, scope: string, key: string): Promise<ScriptValue> {
  return (await (await ctx.services.state()).load(scope, key, optionsOf(ctx))) as ScriptValue;
}

async function save(ctx: Context, scope: string, key: string, value: unknown): Promise<void> {
  await (await ctx.services.state()).save(scope, key, value, optionsOf(ctx));
}

async function keys(ctx: Context, scope: string): Promise<string[]> {
  return (await ctx.services.state()).keys(scope);
}

const getOf = (what: "agent" | "tool" | "workflow", key: Param<typeof keyParam.schema, false>) =>
  wait({
    doc: `The value of a key of the ${what}, or nil.`,
    params: [idParam(what), key],
    returns: "any",
    handler: (ctx, id, name) => load(ctx, `${what}:${id}`, name),
  });

const setOf = (what: "agent" | "tool") =>
  wait({
    doc: `Stores a value under a key of the ${what}.`,
    params: [idParam(what), keyParam, valueParam],
    returns: "nil",
    handler: (ctx, id, key, value) => save(ctx, `${what}:${id}`, key, value),
  });

const firstParam = param(
  "key",
  Type.String(),
  "The key in `global`, or a key with its scope (`user:bob:theme`); with a further argument the scope",
);

function textKey(key: ScriptValue): string {
  if (typeof key === "string" || typeof key === "number" || typeof key === "bigint") return String(key);
  throw new SpellError(
    "invalid_argument",
    `Cannot call State.set: "key" must be a string: ${describeValue(key)}`,
  );
}

export const StateGlobal: GlobalDecl = {
  name: "State",
  doc: "Values that stay: kept in the data directory, for the next run and for other processes, unless the configuration says otherwise.",
  when: "state",
  bothSpellings: true,
  functions: {
    save: wait({
      doc: "Stores a value. When it returns, the value survives the end of the process. Raises on functions, cycles and keys that are not allowed.",
      params: [scopeParam, keyParam, valueParam],
      returns: "nil",
      handler: save,
    }),
    load: wait({
      doc: "The value, or nil. A key of a workflow (`workflow:ID:STEP`) is found under any scope, with or without a colon before it.",
      params: [scopeParam, keyParam],
      returns: "any",
      handler: load,
    }),
    delete: wait({
      doc: "Removes a value; one that is not there is no error.",
      params: [scopeParam, keyParam],
      returns: "nil",
      handler: async (ctx, scope, key) => {
        await (await ctx.services.state()).delete(scope, key, optionsOf(ctx));
      },
    }),
    exists: wait({
      doc: "Whether there is such a value.",
      params: [scopeParam, keyParam],
      returns: "boolean",
      handler: async (ctx, scope, key) => (await ctx.services.state()).exists(scope, key),
    }),
    list_keys: wait({
      doc: "The keys of a scope, sorted, without the scope. One colon at the scope's end is ignored.",
      params: [scopeParam],
      returns: "string[]",
      aliases: ["keys", "list"],
      handler: keys,
    }),
    update: wait({
      doc: "Changes a value with a function of the script, so that no other process writes in between: it gets the old value or nil, and what it returns is stored; nil removes the value. It may be called several times.",
      params: [scopeParam, keyParam, param("fn", LuaFunction, "Gets the value, returns the new one")],
      returns: "any: the new value",
      handler: async (ctx, scope, key, fn) => {
        const state = await ctx.services.state();
        const change = async (value: unknown) => (await fn.call(value as ScriptValue)) ?? undefined;
        return state.update(scope, key, change, optionsOf(ctx));
      },
    }),
    workflow_get: getOf("workflow", param("step_name", Type.String(), "Name of the step")),
    workflow_list: wait({
      doc: "The names of the steps of which a workflow has stored something, sorted.",
      params: [idParam("workflow")],
      returns: "string[]",
      handler: (ctx, id) => keys(ctx, `workflow:${id}`),
    }),
    agent_get: getOf("agent", keyParam),
    agent_set: setOf("agent"),
    tool_get: getOf("tool", keyParam),
    tool_set: setOf("tool"),
    get: wait({
      doc: "`State.get(key)` is the value of a key in `global`, or of a key with its scope; `State.get(scope, key)` is `State.load`.",
      params: [firstParam, optional("of", Type.String(), "The key, where the first argument is a scope")],
      returns: "any",
      aliases: ["read"],
      handler: async (ctx, first, second) => {
        if (second !== undefined) return load(ctx, first, second);
        const { scope, key } = (await ctx.services.state()).split(first);
        return load(ctx, scope, key);
      },
    }),
    set: wait({
      doc: "`State.set(key, value)` stores a value in `global`; `State.set(scope, key, value)` is `State.save`.",
      params: [
        firstParam,
        { ...optional("values", AnyValue, "The value, or the key in the scope and the value"), rest: true },
      ],
      returns: "nil",
      aliases: ["write"],
      handler: async (ctx, first, values) => {
        const [second, last] = values as unknown as ScriptValue[];
        if ((values as unknown as ScriptValue[]).length > 1) return save(ctx, first, textKey(second), last);
        const { scope, key } = (await ctx.services.state()).split(first);
        return save(ctx, scope, key, second);
      },
    }),
    as: actAs,
    ...migrationFunctions,
    ...backupFunctions,
  },
  classes: [ScopedStateClass],
};
