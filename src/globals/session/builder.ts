import { type TSchema, Type } from "typebox";
import type { ScriptValue } from "../../core/values.ts";
import type { Table } from "../agent/fields.ts";
import { AnyTable, type ClassDecl, type FunctionDecl, methodsOf, param } from "../declare.ts";

const BUILDER = "SessionBuilder";
const { local } = methodsOf<Table>();

function setter(
  name: string,
  schema: TSchema,
  doc: string,
  change: (state: Table, value: ScriptValue) => void,
): FunctionDecl {
  return local({
    doc,
    params: [param(name, schema, doc)],
    returns: BUILDER,
    handler: (ctx, value) => {
      change(ctx.self, value as ScriptValue);
      return ctx.create(BUILDER, ctx.self);
    },
  });
}

const stores = (name: string, schema: TSchema, doc: string): FunctionDecl =>
  setter(name, schema, doc, (state, value) => {
    state[name] = value;
  });

export const builderClass: ClassDecl = {
  name: BUILDER,
  doc: "Gathers what a session is. Every setter changes the builder and returns it.",
  local: true,
  methods: {
    name: stores("name", Type.String(), "The session's name"),
    description: stores("description", Type.String(), "What it is for"),
    tag: setter("tag", Type.String(), "One more tag", (state, value) => {
      state.tags = [...((state.tags as ScriptValue[] | undefined) ?? []), value];
    }),
    tags: stores("tags", Type.Array(Type.String()), "All tags, in place of those before"),
    metadata: stores("metadata", AnyTable, "Further fields: `custom_metadata` of the info table"),
    build: local({
      doc: "Makes the session.",
      params: [],
      returns: "id",
      handler: (ctx) => ctx.wait("Session", "create", ctx.self),
    }),
  },
};
