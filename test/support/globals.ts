/** Calls functions of globals as a script's call reaches the kernel: argument checks, then the handler. */
import { ScriptTable } from "../../src/core/values.ts";
import type { GlobalDecl } from "../../src/globals/declare.ts";
import { Dispatcher } from "../../src/globals/dispatch.ts";
import type { Services } from "../../src/kernel/services.ts";
import { noRun } from "./model-service.ts";

export type Call = (fn: string, ...args: unknown[]) => Promise<unknown>;

export function caller(global: GlobalDecl, services: Services): Call {
  const dispatcher = new Dispatcher([global], services);
  return async (fn, ...args) => dispatcher.call({ global: global.name, fn }, args, noRun);
}

/** The fields of a result table, its text and its fallbacks beside them. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  if (!(value instanceof ScriptTable)) throw new Error("not a result table");
  return { ...value.parts.fields };
}
