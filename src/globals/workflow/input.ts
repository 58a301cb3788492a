import { SpellError } from "../../core/errors.ts";
import { isPlainObject, isScriptFunction, type ScriptFunction, type ScriptValue } from "../../core/values.ts";
import type { ExecuteOptions } from "../../workflows/service.ts";
import { flag, type Table, table, text } from "../agent/fields.ts";

/** A table, or the run's text. */
export function workflowInput(value: ScriptValue): Table {
  if (value === undefined || value === null) return {};
  if (isPlainObject(value)) return value as Table;
  return typeof value === "object" && !(value instanceof Uint8Array)
    ? { input: value }
    : { text: text(value) ?? value };
}

/** `{run_id?, durable?, on_progress?}` */
export function executeOptions(
  value: ScriptValue,
  call: string,
): Omit<ExecuteOptions, "listener"> & { progress?: ScriptFunction } {
  const given = table(value) ?? {};
  const runId = text(given.run_id);
  const durable = flag(given.durable);
  const progress = given.on_progress;
  if (runId?.trim() === "") throw refuse(call, "run_id", "must not be empty");
  if (runId !== undefined && runId.length > 200)
    throw refuse(call, "run_id", "must not be longer than 200 characters");
  if (progress !== undefined && progress !== null && !isScriptFunction(progress))
    throw refuse(call, "on_progress", "must be a function");
  return {
    ...(runId === undefined ? {} : { runId }),
    ...(durable === undefined ? {} : { durable }),
    ...(isScriptFunction(progress) ? { progress } : {}),
  };
}

const refuse = (call: string, field: string, rule: string): SpellError =>
  new SpellError("invalid_argument", `Cannot call ${call}: "options.${field}" ${rule}`);
