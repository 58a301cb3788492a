/** The third argument of `Hook.register`: a priority, or a table with it and more. */
import { SpellError } from "../../core/errors.ts";
import { isPlainObject, type ScriptValue } from "../../core/values.ts";
import type { ConditionSpec } from "../../hooks/conditions.ts";
import { PRIORITIES, type PriorityName } from "../../hooks/priority.ts";
import type { BreakerPreset, HookSpec } from "../../hooks/service.ts";
import { describeValue } from "../check.ts";

const BREAKERS: readonly string[] = ["default", "production", "conservative", "off"];

/** @throws SpellError invalid_argument */
export function readOptions(given: ScriptValue): Partial<HookSpec> & { when?: ConditionSpec } {
  if (given === undefined || given === null) return {};
  if (!isPlainObject(given)) return { priority: readPriority(given) };
  const { name, description, version, tags, breaker, when } = given;
  if (breaker !== undefined && !BREAKERS.includes(String(breaker)))
    throw refuse("breaker", `must be one of ${BREAKERS.join(", ")}`, breaker);
  return {
    ...(given.priority === undefined ? {} : { priority: readPriority(given.priority) }),
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof description === "string" ? { description } : {}),
    ...(typeof version === "string" ? { version } : {}),
    ...(Array.isArray(tags) ? { tags: tags.map(String) } : {}),
    ...(breaker === undefined ? {} : { breaker: breaker as BreakerPreset }),
    ...(isPlainObject(when) ? { when: readCondition(when) } : {}),
  };
}

/** A word, a number, or what `Hook.list` shows: `Priority(-100)`. @throws SpellError invalid_argument */
export function readPriority(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  if (typeof value === "string") {
    const word = value.toLowerCase();
    if (Object.hasOwn(PRIORITIES, word)) return PRIORITIES[word as PriorityName];
    const shown = /^priority\((-?\d+)\)$/.exec(word)?.[1];
    if (shown !== undefined) return Number(shown);
  }
  throw refuse("priority", `must be one of ${Object.keys(PRIORITIES).join(", ")} or an integer`, value);
}

function readCondition(when: Record<string, unknown>): ConditionSpec {
  const { component_type, component, point, metadata, has_error, path, equals } = when;
  const { debug_mode, execution_state, always, never } = when;
  if (execution_state !== undefined && execution_state !== "busy" && execution_state !== "idle")
    throw refuse("when.execution_state", "must be busy or idle", execution_state);
  return {
    ...(typeof component_type === "string"
      ? { componentType: component_type as NonNullable<ConditionSpec["componentType"]> }
      : {}),
    ...(typeof component === "string" ? { component } : {}),
    ...(typeof point === "string" ? { point } : {}),
    ...(isPlainObject(metadata) ? { metadata: metadata as Record<string, string> } : {}),
    ...(typeof has_error === "boolean" ? { hasError: has_error } : {}),
    ...(typeof path === "string" ? { path } : {}),
    ...(equals === undefined ? {} : { equals }),
    ...(typeof debug_mode === "boolean" ? { debugMode: debug_mode } : {}),
    ...(execution_state === undefined ? {} : { executionState: execution_state }),
    ...(typeof always === "boolean" ? { always } : {}),
    ...(typeof never === "boolean" ? { never } : {}),
  };
}

function refuse(field: string, rule: string, value: unknown): SpellError {
  return new SpellError(
    "invalid_argument",
    `Cannot call Hook.register: "${field}" ${rule}: ${describeValue(value)}`,
  );
}
