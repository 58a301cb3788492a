/** Checks the parameters of a tool call against the tool's JSON Schema, with the texts of spec/tools.md section 2.2. */
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { isPlainObject } from "../core/values.ts";
import type { ToolDefinition } from "./tool.ts";

export interface ParameterSchema {
  type?: string | readonly string[];
  description?: string;
  enum?: readonly unknown[];
  const?: unknown;
  anyOf?: readonly ParameterSchema[];
  items?: ParameterSchema;
  properties?: Record<string, ParameterSchema>;
  required?: readonly string[];
  additionalProperties?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  default?: unknown;
}

/**
 * Parameters as the tool gets them: names and values in their main spelling, texts turned into numbers and the reverse
 * where the schema asks for it, `{}` for an empty array, defaults filled in. Unknown ones are left out
 * unless the schema says `additionalProperties: true`.
 * @throws SpellError invalid_argument, with `data.parameter`
 */
export function checkParameters(
  tool: ToolDefinition,
  given: Record<string, unknown>,
): Record<string, unknown> {
  const schema: ParameterSchema = tool.parameters;
  const named = withMainNames(tool, given);
  const checked: Record<string, unknown> = schema.additionalProperties === true ? { ...named } : {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const value = Object.hasOwn(named, name) ? named[name] : undefined;
    if (value === undefined || value === null) {
      if (property.default !== undefined) checked[name] = structuredClone(property.default);
      else if (schema.required?.includes(name)) throw missingParameter(name, kindOf(property));
      continue;
    }
    if (value instanceof Uint8Array && tool.accepts?.bytes?.includes(name)) checked[name] = value;
    else checked[name] = convert(property, mainValue(tool, name, value), name);
  }
  return checked;
}

/** @param kind `boolean`, `integer`, `unsigned integer`, `float`, `array` or `object`; none for text and any value */
export function missingParameter(name: string, kind?: string): SpellError {
  const what = kind === undefined ? "parameter" : `${kind} parameter`;
  return new SpellError("invalid_argument", `Missing required ${what} '${name}'`, {
    data: { parameter: name },
  });
}

/** @throws SpellError invalid_argument: `Invalid x: 'v'. Allowed values: a, b` */
function invalidChoice(name: string, value: unknown, allowed: readonly unknown[]): SpellError {
  const words = allowed.map(String);
  const hint = typeof value === "string" ? didYouMean(value, words) : undefined;
  return new SpellError(
    "invalid_argument",
    `Invalid ${name}: '${shown(value)}'. Allowed values: ${words.join(", ")}`,
    {
      data: { parameter: name, allowed: words },
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

function withMainNames(tool: ToolDefinition, given: Record<string, unknown>): Record<string, unknown> {
  const named = { ...given };
  for (const [spelling, name] of Object.entries(tool.accepts?.names ?? {})) {
    if (!Object.hasOwn(named, name) && Object.hasOwn(given, spelling)) named[name] = given[spelling];
  }
  return named;
}

function mainValue(tool: ToolDefinition, name: string, value: unknown): unknown {
  const spellings = tool.accepts?.values?.[name];
  if (spellings === undefined || typeof value !== "string") return value;
  const lower = value.toLowerCase();
  const choices = choicesOf((tool.parameters as ParameterSchema).properties?.[name] ?? {});
  return choices?.includes(lower) ? lower : Object.hasOwn(spellings, lower) ? spellings[lower] : value;
}

function convert(schema: ParameterSchema, value: unknown, name: string): unknown {
  const choices = choicesOf(schema);
  if (choices !== undefined) {
    const chosen = choices.find((choice) => choice === value || String(choice) === value);
    if (chosen === undefined) throw invalidChoice(name, value, choices);
    return chosen;
  }
  if (schema.anyOf !== undefined) return convertAny(schema.anyOf, value, name);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 1) {
    const options = types.map((type) => ({ ...schema, type }));
    return convertAny(options, value, name);
  }
  switch (types[0]) {
    case "string":
      return toText(schema, value, name);
    case "integer":
    case "number":
      return toNumber(schema, value, name);
    case "boolean":
      if (typeof value === "boolean") return value;
      if (value === "true" || value === "false") return value === "true";
      throw wrong(name, "must be true or false", value);
    case "array":
      return toArray(schema, value, name);
    case "object":
      return toObject(schema, value, name);
    case "null":
      throw wrong(name, "must be nil", value);
    default:
      return value;
  }
}

/** The first option that fits as it is, else the first that fits after a conversion. */
function convertAny(options: readonly ParameterSchema[], value: unknown, name: string): unknown {
  let problem: unknown;
  let converted: { value: unknown } | undefined;
  for (const option of options) {
    try {
      const result = convert(option, value, name);
      if (result === value) return value;
      converted ??= { value: result };
    } catch (error) {
      problem ??= error;
    }
  }
  if (converted === undefined) throw problem;
  return converted.value;
}

function toText(schema: ParameterSchema, value: unknown, name: string): string {
  if (value instanceof Uint8Array) throw wrong(name, "must be valid UTF-8 text", value);
  const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  if (typeof text !== "string") throw wrong(name, "must be a string", value);
  if (schema.minLength !== undefined && text.length < schema.minLength)
    throw wrong(
      name,
      schema.minLength === 1 ? "must not be empty" : `needs ${schema.minLength} characters`,
      value,
    );
  if (schema.maxLength !== undefined && text.length > schema.maxLength)
    throw wrong(name, `must have at most ${schema.maxLength} characters`, text.length);
  return text;
}

function toNumber(schema: ParameterSchema, value: unknown, name: string): number | bigint {
  const isInteger = schema.type === "integer";
  if (typeof value === "bigint" && isInteger) return value;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || Number.isNaN(number) || (isInteger && !Number.isInteger(number)))
    throw wrong(name, isInteger ? "must be an integer" : "must be a number", value);
  if (schema.minimum !== undefined && number < schema.minimum)
    throw wrong(name, `must be at least ${schema.minimum}`, value);
  if (schema.maximum !== undefined && number > schema.maximum)
    throw wrong(name, `must be at most ${schema.maximum}`, value);
  return number;
}

function toArray(schema: ParameterSchema, value: unknown, name: string): unknown[] {
  const items = isPlainObject(value) && Object.keys(value).length === 0 ? [] : value;
  if (!Array.isArray(items)) throw wrong(name, "must be an array", value);
  if (schema.minItems !== undefined && items.length < schema.minItems)
    throw wrong(name, `needs at least ${schema.minItems} items`, items.length);
  if (schema.maxItems !== undefined && items.length > schema.maxItems)
    throw wrong(name, `must have at most ${schema.maxItems} items`, items.length);
  const { items: itemSchema } = schema;
  return itemSchema === undefined
    ? items
    : items.map((item, i) => convert(itemSchema, item, `${name}[${i + 1}]`));
}

function toObject(schema: ParameterSchema, value: unknown, name: string): Record<string, unknown> {
  if (!isPlainObject(value)) throw wrong(name, "must be an object", value);
  const result = { ...value };
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const field = Object.hasOwn(value, key) ? value[key] : undefined;
    if (field !== undefined && field !== null) result[key] = convert(property, field, `${name}.${key}`);
    else if (schema.required?.includes(key)) throw missingParameter(`${name}.${key}`, kindOf(property));
    else if (property.default !== undefined) result[key] = structuredClone(property.default);
  }
  return result;
}

/** The values of an enumeration, however the schema writes it. */
export function choicesOf(schema: ParameterSchema): readonly unknown[] | undefined {
  if (schema.enum !== undefined) return schema.enum;
  if (schema.const !== undefined) return [schema.const];
  const constants = schema.anyOf?.flatMap((option) => (option.const === undefined ? [] : [option.const]));
  return constants !== undefined && constants.length === schema.anyOf?.length ? constants : undefined;
}

function kindOf(schema: ParameterSchema): string | undefined {
  switch (schema.type) {
    case "integer":
      return schema.minimum !== undefined && schema.minimum >= 0 ? "unsigned integer" : "integer";
    case "number":
      return "float";
    case "boolean":
    case "array":
    case "object":
      return schema.type;
    default:
      return undefined;
  }
}

function wrong(name: string, rule: string, value: unknown): SpellError {
  return new SpellError("invalid_argument", `Invalid ${name}: it ${rule}: ${shown(value)}`, {
    data: { parameter: name },
  });
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const text =
    typeof value === "string" ? value : typeof value === "object" ? typeName(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function typeName(value: unknown): string {
  return Array.isArray(value) ? "an array" : "an object";
}
