/**
 * Argument checks for globals under spec/lua-api.md section 0.1: a number is accepted where text is expected, an
 * optional field of an options table that has the wrong type is ignored, what is required must be right.
 */
import type { TSchema } from "typebox";
import { SpellError } from "../core/errors.ts";
import { isPlainObject, isScriptFunction } from "../core/values.ts";
import type { Param } from "./declare.ts";

interface JsonSchema {
  type?: string;
  "x-script"?: "function" | "bytes";
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  default?: unknown;
}

/** Why a value does not fit: the place inside the argument (`.steps[2].name`) and the rule. */
interface Problem {
  path: string;
  rule: string;
  value: unknown;
}

type Outcome = { ok: true; value: unknown } | { ok: false; problem: Problem };

const fits = (value: unknown): Outcome => ({ ok: true, value });
const refuse = (path: string, rule: string, value: unknown): Outcome => ({
  ok: false,
  problem: { path, rule, value },
});

export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (typeof value === "string")
    return value.length > 60 ? JSON.stringify(`${value.slice(0, 57)}...`) : JSON.stringify(value);
  if (value instanceof Uint8Array) return "a string that is not UTF-8";
  if (typeof value === "object") return isScriptFunction(value) ? "function" : "table";
  return String(value);
}

function checkText(schema: JsonSchema, value: unknown, path: string): Outcome {
  if (typeof value === "number" || typeof value === "bigint") return checkText(schema, String(value), path);
  if (value instanceof Uint8Array) return refuse(path, "must be valid UTF-8 text", value);
  if (typeof value !== "string") return refuse(path, "must be a string", value);
  if (schema.minLength !== undefined && value.length < schema.minLength)
    return refuse(path, "must not be empty", value);
  return fits(value);
}

function checkNumber(schema: JsonSchema, value: unknown, path: string): Outcome {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  const integral = schema.type === "integer";
  if (typeof number === "bigint" && integral) return fits(number);
  if (typeof number !== "number" || !Number.isFinite(number) || (integral && !Number.isInteger(number))) {
    return refuse(path, integral ? "must be an integer" : "must be a number", value);
  }
  if (schema.minimum !== undefined && number < schema.minimum)
    return refuse(path, `must be at least ${schema.minimum}`, value);
  if (schema.maximum !== undefined && number > schema.maximum)
    return refuse(path, `must be at most ${schema.maximum}`, value);
  return fits(number);
}

function checkObject(schema: JsonSchema, value: unknown, path: string): Outcome {
  if (!isPlainObject(value)) return refuse(path, "must be a table with named fields", value);
  if (schema.properties === undefined) return fits(value);
  const result: Record<string, unknown> = { ...value };
  for (const [key, property] of Object.entries(schema.properties)) {
    const field = result[key];
    const required = schema.required?.includes(key) ?? false;
    const outcome =
      field === undefined || field === null ? undefined : checkValue(property, field, `${path}.${key}`);
    if (outcome?.ok) result[key] = outcome.value;
    else if (required) return outcome ?? refuse(`${path}.${key}`, "is required", field);
    else if (property.default !== undefined) result[key] = property.default;
    else delete result[key];
  }
  return fits(result);
}

function checkArray(schema: JsonSchema, value: unknown, path: string): Outcome {
  const items = Array.isArray(value) ? value : isEmptyTable(value) ? [] : undefined;
  if (items === undefined) return refuse(path, "must be an array", value);
  if (schema.items === undefined) return fits(items);
  const result: unknown[] = [];
  for (const [i, item] of items.entries()) {
    const outcome = checkValue(schema.items, item, `${path}[${i + 1}]`);
    if (!outcome.ok) return outcome;
    result.push(outcome.value);
  }
  return fits(result);
}

function isEmptyTable(value: unknown): boolean {
  return isPlainObject(value) && Object.keys(value).length === 0;
}

function checkValue(schema: JsonSchema, value: unknown, path: string): Outcome {
  if (schema["x-script"] === "function") {
    return isScriptFunction(value) ? fits(value) : refuse(path, "must be a function", value);
  }
  if (schema["x-script"] === "bytes")
    return value instanceof Uint8Array ? fits(value) : checkText(schema, value, path);
  if (schema.anyOf !== undefined) {
    let first: Outcome | undefined;
    for (const option of schema.anyOf) {
      const outcome = checkValue(option, value, path);
      if (outcome.ok) return outcome;
      first ??= outcome;
    }
    const words = schema.anyOf.flatMap((s) => (s.const === undefined ? [] : [JSON.stringify(s.const)]));
    if (words.length === schema.anyOf.length)
      return refuse(path, `must be one of ${words.join(", ")}`, value);
    return first ?? fits(value);
  }
  if (schema.const !== undefined)
    return value === schema.const
      ? fits(value)
      : refuse(path, `must be ${JSON.stringify(schema.const)}`, value);
  if (schema.enum !== undefined) {
    return schema.enum.includes(value)
      ? fits(value)
      : refuse(path, `must be one of ${schema.enum.map((e) => JSON.stringify(e)).join(", ")}`, value);
  }
  switch (schema.type) {
    case "string":
      return checkText(schema, value, path);
    case "number":
    case "integer":
      return checkNumber(schema, value, path);
    case "boolean":
      return typeof value === "boolean" ? fits(value) : refuse(path, "must be true or false", value);
    case "array":
      return checkArray(schema, value, path);
    case "object":
      return checkObject(schema, value, path);
    default:
      return fits(value);
  }
}

/**
 * The arguments as the handler gets them: coerced, defaults filled in, surplus dropped.
 * @param call what the script called, for the message: `Tool.execute`, `agent:execute`
 * @throws SpellError invalid_argument
 */
export function checkArgs(call: string, params: readonly Param[], args: readonly unknown[]): unknown[] {
  return params.map((p, i) => {
    const schema = (p.rest ? { type: "array", items: p.schema } : p.schema) as TSchema & JsonSchema;
    const value = p.rest ? args.slice(i) : args[i];
    if (value === undefined || value === null) {
      const rule = p.optional ? undefined : ruleFor(schema);
      if (rule !== undefined) throw invalid(call, p, { path: "", rule, value });
      return schema.default;
    }
    const outcome = checkValue(schema, value, "");
    if (!outcome.ok) throw invalid(call, p, outcome.problem);
    return outcome.value;
  });
}

/** The rule that nil breaks; undefined where nil is a value like any other. */
function ruleFor(schema: JsonSchema): string | undefined {
  const outcome = checkValue(schema, null, "");
  return outcome.ok ? undefined : outcome.problem.rule;
}

function invalid(call: string, p: Param, problem: Problem): SpellError {
  const name = `${p.name}${problem.path}`;
  return new SpellError(
    "invalid_argument",
    `Cannot call ${call}: "${name}" ${problem.rule}: ${describeValue(problem.value)}`,
    {
      data: { call, argument: name },
      hint: p.doc,
    },
  );
}
