/** Methods of builders: each changes the receiver and returns it, so that chains and bare statements both work. */
import type { TSchema } from "typebox";
import type { ScriptValue } from "../core/values.ts";
import type { Table } from "./agent/fields.ts";
import { type FunctionDecl, type LocalContext, methodsOf, param } from "./declare.ts";

/** @param second of a method with two arguments */
export type Change = (state: Table, value: ScriptValue, second: ScriptValue) => void;

/** @param builder the class's name; what its methods gather is a table */
export function settersOf(builder: string) {
  const { local } = methodsOf<Table>();

  function changed(ctx: LocalContext<Table>, change: Change, first?: ScriptValue, second?: ScriptValue) {
    change(ctx.self, first, second);
    return ctx.create(builder, ctx.self);
  }

  const setter = (
    argument: string,
    schema: TSchema,
    doc: string,
    change: Change,
    aliases: readonly string[] = [],
  ): FunctionDecl =>
    local({
      doc,
      params: [param(argument, schema, doc)],
      returns: builder,
      aliases,
      handler: (ctx, value) => changed(ctx, change, value as ScriptValue),
    });

  /** Stores its argument under the key of the same name. */
  const stores = (key: string, schema: TSchema, doc: string, aliases: readonly string[] = []): FunctionDecl =>
    setter(
      key,
      schema,
      doc,
      (state, value) => {
        state[key] = value;
      },
      aliases,
    );

  return { local, changed, setter, stores };
}
