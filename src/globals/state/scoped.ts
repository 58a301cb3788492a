/** `State.as`: state as one scope may use it (spec/kernel.md section 13.1). */
import { Type } from "typebox";
import { Handle, type ScriptValue } from "../../core/values.ts";
import type { ScopedState } from "../../state/scoped.ts";
import {
  AnyValue,
  type ClassDecl,
  type FunctionDecl,
  LuaFunction,
  methodsOf,
  optional,
  param,
  wait,
} from "../declare.ts";

const { wait: method } = methodsOf<ScopedState>();

const scopeParam = param("scope", Type.String(), "The scope itself, `global`, or a session of the user");
const keyParam = param("key", Type.String(), "As of `State`");

export const actAs: FunctionDecl = wait({
  doc: "State as a scope may use it: an object to hand to code that shall not reach everything. It reaches its own scope and `global`; a user and the sessions whose ids begin with the user's id reach each other.",
  params: [
    param(
      "scope",
      Type.String(),
      "`agent:ID`, `tool:ID`, `hook:ID`, `workflow:ID`, `session:ID`, `user:ID`, `custom:ID` or `global`",
    ),
  ],
  returns: "ScopedState",
  handler: async (ctx, scope) =>
    new Handle<ScopedState>("ScopedState", (await ctx.services.state()).as(scope)),
});

export const ScopedStateClass: ClassDecl = {
  name: "ScopedState",
  doc: "State as one scope may use it. Every method raises `Access to state denied` for a scope out of its reach.",
  methods: {
    scope: method({
      doc: "The scope as which it acts.",
      params: [],
      returns: "string",
      handler: (ctx) => ctx.self.scope,
    }),
    parent: method({
      doc: "The scope above: of a session the user whom its id names before the first `_`, else `global`; nil for `global`.",
      params: [],
      returns: "string or nil",
      handler: (ctx) => ctx.self.parent ?? null,
    }),
    save: method({
      doc: "Stores a value.",
      params: [scopeParam, keyParam, optional("value", AnyValue, "As of `State.save`")],
      returns: "nil",
      handler: async ({ self, run }, scope, key, value) => {
        await self.save(scope, key, value, { correlationId: run.id, signal: run.signal });
      },
    }),
    load: method({
      doc: "The value of exactly this scope and key, or nil.",
      params: [scopeParam, keyParam],
      returns: "any",
      handler: ({ self, run }, scope, key) =>
        self.load(scope, key, { correlationId: run.id, signal: run.signal }),
    }),
    delete: method({
      doc: "Removes a value; one that is not there is no error.",
      params: [scopeParam, keyParam],
      returns: "nil",
      handler: async ({ self, run }, scope, key) => {
        await self.delete(scope, key, { correlationId: run.id, signal: run.signal });
      },
    }),
    exists: method({
      doc: "Whether there is such a value.",
      params: [scopeParam, keyParam],
      returns: "boolean",
      handler: ({ self }, scope, key) => self.exists(scope, key),
    }),
    list_keys: method({
      doc: "The keys of a scope, sorted.",
      params: [scopeParam],
      returns: "string[]",
      handler: ({ self }, scope) => self.keys(scope),
    }),
    update: method({
      doc: "As `State.update`.",
      params: [scopeParam, keyParam, param("fn", LuaFunction, "Gets the value, returns the new one")],
      returns: "any: the new value",
      handler: ({ self, run }, scope, key, fn) => {
        const change = async (value: unknown) => (await fn.call(value as ScriptValue)) ?? undefined;
        return self.update(scope, key, change, { correlationId: run.id, signal: run.signal });
      },
    }),
  },
};
