/** What a hook of a script is told and what its answers mean: spec/lua-api.md section 6. */
import { SpellError } from "../../core/errors.ts";
import { isPlainObject, type ScriptFunction, type ScriptValue } from "../../core/values.ts";
import type { ForkedOperation, HookContext, HookFunction, HookResult } from "../../hooks/service.ts";

const CONTINUE: HookResult = { type: "continue" };

/** A function of a script as a hook. @param ended called when its VM is gone */
export function scriptHook(fn: ScriptFunction, ended: () => void): HookFunction {
  return async (context) => {
    try {
      return readResult(await fn.call(asTable(context)));
    } catch (error) {
      if (error instanceof SpellError && error.data.vmEnded === true) ended();
      throw error;
    }
  };
}

function asTable({ point, correlationId, component, metadata, data }: HookContext): ScriptValue {
  const { type, name, id } = component;
  return {
    point,
    correlation_id: correlationId,
    component_id: { type, name, ...(id === undefined ? {} : { id }) },
    language: "lua",
    metadata: { ...metadata },
    data: data as ScriptValue,
  };
}

/** @throws SpellError invalid_argument for a table of a known type that lacks what it needs */
export function readResult(value: ScriptValue): HookResult {
  if (typeof value === "string") return readWord(value);
  if (!isPlainObject(value)) return CONTINUE;
  const { type, data, reason, target } = value;
  switch (type) {
    case "modified":
      if (!isPlainObject(data)) throw refuse(type, "data", "must be a table with named fields");
      return { type, data };
    case "cancel":
      return { type, reason: text(reason) ?? "no reason given" };
    case "redirect":
      if (typeof target !== "string" || target === "") throw refuse(type, "target", "must be a name");
      return { type, target };
    case "replace":
      return { type, data: data ?? null };
    case "retry":
      return {
        type,
        delayMs: count(type, "delay_ms", value.delay_ms, 1000),
        maxAttempts: count(type, "max_attempts", value.max_attempts, 3),
      };
    case "fork":
      return { type, operations: forks(value.operations ?? value.parallel_operations) };
    case "cache":
      if (typeof value.key !== "string") throw refuse(type, "key", "must be a string");
      return { type, key: value.key, ttlMs: count(type, "ttl_ms", value.ttl_ms ?? value.ttl, 300_000) };
    case "skip":
    case "skipped":
      return { type: "skipped", reason: text(reason) ?? "no reason given" };
    default:
      return CONTINUE;
  }
}

function readWord(word: string): HookResult {
  if (word === "continue") return CONTINUE;
  if (word === "skip" || word === "skipped") return { type: "skipped", reason: "no reason given" };
  return { type: "cancel", reason: word };
}

function forks(given: unknown): ForkedOperation[] {
  if (!Array.isArray(given) || given.length === 0)
    throw refuse("fork", "operations", "must be a list of {id?, operation_type, parameters?}");
  return given.map((operation, i) => {
    const type = isPlainObject(operation) ? operation.operation_type : undefined;
    if (!isPlainObject(operation) || typeof type !== "string")
      throw refuse("fork", `operations[${i + 1}].operation_type`, "must be a string");
    const { id = String(i + 1), parameters = {} } = operation;
    return { id: String(id), operationType: type, parameters };
  });
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

function count(type: string, field: string, value: unknown, byDefault: number): number {
  if (value === undefined || value === null) return byDefault;
  if (typeof value !== "number" || !(value >= 0)) throw refuse(type, field, "must be a number of at least 0");
  return value;
}

function refuse(type: string, field: string, rule: string): SpellError {
  return new SpellError(
    "invalid_argument",
    `Cannot use a hook's answer of type "${type}": "${field}" ${rule}`,
  );
}
