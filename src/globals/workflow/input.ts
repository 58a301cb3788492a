import { SpellError } from "../../core/errors.ts";
import {
  Handle,
  isPlainObject,
  isScriptFunction,
  type ScriptFunction,
  type ScriptValue,
} from "../../core/values.ts";
import type { ExecuteOptions } from "../../workflows/service.ts";
import { flag, type Table, table, text } from "../agent/fields.ts";

/** A table, or the run's text. @throws SpellError invalid_argument for what is no data */
export function workflowInput(value: ScriptValue): Table {
  refuseObjects(value, "input");
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

/** What runs are given is written down, compared and filled in. @throws SpellError invalid_argument naming the place */
export function refuseObjects(value: unknown, path: string): void {
  if (isScriptFunction(value) || value instanceof Handle)
    throw new SpellError(
      "invalid_argument",
      `Cannot give the workflow a value: "${path}" must not be ${isScriptFunction(value) ? "a function" : "an object"}`,
    );
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) refuseObjects(item, `${path}[${i + 1}]`);
  } else if (isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) refuseObjects(item, `${path}.${key}`);
  }
}

const refuse = (call: string, field: string, rule: string): SpellError =>
  new SpellError("invalid_argument", `Cannot call ${call}: "options.${field}" ${rule}`);
