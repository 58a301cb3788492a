/** The functions that transforms name: converters, splitters, mergers, and custom ones with a registry. */
import { SpellError } from "../../core/errors.ts";
import { parseJson, stringifyJson } from "../../core/json.ts";
import { didYouMean } from "../../core/nearest.ts";

const INT64 = 2n ** 63n;

/** @throws Error in words where the value cannot be converted */
type Converter = (value: unknown) => unknown;

const CONVERTERS: Record<string, Converter> = {
  parse_int: (value) => {
    if (typeof value === "bigint") return value;
    if (typeof value === "boolean") return value ? 1 : 0;
    if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value);
    if (typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value)) {
      const number = Number(value);
      if (Number.isSafeInteger(number)) return number + 0; // "-0" is 0
      const exact = BigInt(value.trim().replace(/^\+/, ""));
      if (exact >= -INT64 && exact < INT64) return exact;
    }
    throw new Error("it is no whole number");
  },
  parse_float: (value) => {
    if (typeof value === "number" || typeof value === "bigint") return value;
    if (typeof value === "boolean") return value ? 1 : 0;
    if (typeof value === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value))
      return Number(value);
    throw new Error("it is no number");
  },
  to_string: (value) => {
    if (typeof value === "string") return value;
    if (value === null) return "";
    return typeof value === "object" ? stringifyJson(value) : String(value);
  },
  parse_bool: (value) => {
    if (typeof value === "boolean") return value;
    if (typeof value === "number" || typeof value === "bigint") return Number(value) !== 0;
    const word = typeof value === "string" ? value.trim().toLowerCase() : "";
    if (["true", "yes", "on", "1"].includes(word)) return true;
    if (["false", "no", "off", "0", ""].includes(word) && typeof value === "string") return false;
    throw new Error("it is neither true nor false");
  },
  to_array: (value) => (Array.isArray(value) ? value : [value]),
  parse_json: (value) => (typeof value === "string" ? parseJson(value) : value),
};

/** An unknown converter copies (spec/agents-workflows-rag.md section 9.4). */
export function convert(name: string, value: unknown): unknown {
  const converter = Object.hasOwn(CONVERTERS, name) ? CONVERTERS[name]! : undefined;
  return converter === undefined ? value : converter(value);
}

/** The converter from one type to another; undefined where none is sure. */
export function converterBetween(from: string, to: string): string | undefined {
  if (to === "any" || from === to || (from === "integer" && to === "number")) return "copy";
  const scalar = ["string", "number", "integer", "boolean", "any"].includes(from);
  if (to === "string") return "to_string";
  if (to === "array") return "to_array";
  if (!scalar) return undefined;
  return { integer: "parse_int", number: "parse_float", boolean: "parse_bool" }[to];
}

/** One part for each field; null where the text has fewer. */
export function split(name: string, value: unknown, count: number): unknown[] {
  const separator = SEPARATORS[name];
  if (separator === undefined || typeof value !== "string") return Array.from({ length: count }, () => value);
  const parts = value.split(separator).map((part) => part.trim());
  // What is left over stays with the last field.
  if (parts.length > count && name === "space_split")
    parts.splice(count - 1, Infinity, parts.slice(count - 1).join(" "));
  return Array.from({ length: count }, (_, i) => parts[i] ?? null);
}

const SEPARATORS: Record<string, string | RegExp | undefined> = {
  comma_split: ",",
  space_split: /\s+/,
  semicolon_split: ";",
};

/** An unknown merger takes the first. */
export function merge(name: string, values: readonly unknown[]): unknown {
  const present = values.filter((value) => value !== undefined && value !== null);
  switch (name) {
    case "concat_strings":
      return present.map((value) => convert("to_string", value)).join(" ");
    case "sum_numbers":
      return sum(present);
    case "first_non_null":
      return present[0] ?? null;
    case "to_array":
      return present;
    default:
      return values[0] ?? null;
  }
}

function sum(values: readonly unknown[]): number | bigint {
  const numbers = values.map((value) => convert("parse_float", value) as number | bigint);
  return numbers.some((value) => typeof value === "bigint") &&
    numbers.every((value) => Number.isInteger(Number(value)))
    ? numbers.reduce<bigint>((total, value) => total + BigInt(value), 0n)
    : numbers.reduce<number>((total, value) => total + Number(value), 0);
}

/**
 * A custom function: from the values of the source fields, one for each target field.
 * @param config of the transform
 */
export type CustomTransformer = (
  values: readonly unknown[],
  config: Readonly<Record<string, unknown>>,
) => readonly unknown[] | Promise<readonly unknown[]>;

const BUILT_IN: Record<string, CustomTransformer> = {
  uppercase: (values) => values.map((value) => (typeof value === "string" ? value.toUpperCase() : value)),
  lowercase: (values) => values.map((value) => (typeof value === "string" ? value.toLowerCase() : value)),
  trim: (values) => values.map((value) => (typeof value === "string" ? value.trim() : value)),
  /** `config.map`: new values by old ones; others become `config.default`, or stay. */
  map_values: (values, { map, default: other }) =>
    values.map((value) => {
      const table = (map ?? {}) as Record<string, unknown>;
      const key = String(value);
      return Object.hasOwn(table, key) ? table[key] : (other ?? value);
    }),
  /** `config.factor` times the number, plus `config.offset`. */
  scale: (values, { factor = 1, offset = 0 }) =>
    values.map((value) => (typeof value === "number" ? value * Number(factor) + Number(offset) : value)),
};

export type CustomTransformers = ReadonlyMap<string, CustomTransformer>;

/** @throws SpellError invalid_argument for a name that nobody registered */
export function customTransformer(name: string, registered: CustomTransformers): CustomTransformer {
  const found = registered.get(name) ?? (Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined);
  if (found !== undefined) return found;
  const names = [...registered.keys(), ...Object.keys(BUILT_IN)];
  throw new SpellError("invalid_argument", `Unknown transformer: "${name}"`, {
    hint: didYouMean(name, names) ?? `There are: ${names.join(", ")}`,
  });
}
