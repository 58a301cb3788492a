/** Outcomes made of values that a script or a hook gives. */
import { stringifyJson } from "../core/json.ts";
import { isPlainObject } from "../core/values.ts";
import type { ToolOutcome } from "./tool.ts";

/** Text or any other value is the result; a table with `success` or `result` is taken as a finished outcome. */
export function outcomeOf(value: unknown): ToolOutcome {
  if (!isPlainObject(value) || !("success" in value || "result" in value)) {
    return { operation: "execute", ...shown(value) };
  }
  const { success, message, result, error, operation, text } = value;
  return {
    operation: typeof operation === "string" ? operation : "execute",
    success: success !== false,
    ...shown(result, text),
    ...(typeof message === "string" ? { message } : {}),
    ...(success === false ? { error: failureOf(error ?? message) } : {}),
  };
}

/** The main scalar of an outcome of no known shape. */
export function plainPrimary({ result, text }: ToolOutcome): unknown {
  return typeof result === "object" && result !== null ? text : result;
}

function shown(result: unknown, text?: unknown): { result?: unknown; text: string | Uint8Array } {
  const content = text ?? result;
  const asText =
    typeof content === "string" || content instanceof Uint8Array
      ? content
      : content === undefined || content === null
        ? ""
        : stringifyJson(content);
  return { text: asText, ...(result === undefined || result === null ? {} : { result }) };
}

function failureOf(error: unknown): { message: string; code?: string; details?: unknown } {
  if (!isPlainObject(error))
    return { message: typeof error === "string" ? error : "The tool reports a failure" };
  const { message, code, details } = error;
  return {
    message: typeof message === "string" ? message : "The tool reports a failure",
    ...(typeof code === "string" ? { code } : {}),
    ...(details === undefined ? {} : { details }),
  };
}
