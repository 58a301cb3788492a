/** Reading a workflow's table: every refusal names the workflow, the place and the rule. */
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { Handle, isPlainObject, isScriptFunction } from "../../core/values.ts";

export type Table = Record<string, unknown>;

/** A place within the definition of a workflow. */
export class Place {
  constructor(
    readonly workflow: string,
    readonly path: string,
  ) {}

  at(key: string): Place {
    return new Place(this.workflow, this.path === "" ? key : `${this.path}.${key}`);
  }

  /** Counted from 1. */
  item(index: number): Place {
    return new Place(this.workflow, `${this.path}[${index + 1}]`);
  }

  refuse(rule: string, value?: unknown, hint?: string): SpellError {
    const where = this.path === "" ? "" : `"${this.path}" `;
    const shown = value === undefined ? "" : `: ${shownValue(value)}`;
    return new SpellError(
      "invalid_argument",
      `Cannot build workflow "${this.workflow}": ${where}${rule}${shown}`,
      {
        data: { workflow: this.workflow, place: this.path, variant: "ConfigurationError" },
        ...(hint === undefined ? {} : { hint }),
      },
    );
  }
}

function shownValue(value: unknown): string {
  if (value === null) return "nil";
  if (isScriptFunction(value)) return "a function";
  if (value instanceof Handle) return "an object";
  const text =
    typeof value === "object" ? "a table" : typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

export const isNil = (value: unknown): value is null | undefined => value === undefined || value === null;

export function text(value: unknown, place: Place): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value !== "string") throw place.refuse("must be a string", value ?? null);
  if (value.trim() === "") throw place.refuse("must not be empty");
  return value;
}

export function maybeText(value: unknown, place: Place): string | undefined {
  return isNil(value) ? undefined : text(value, place);
}

export function number(value: unknown, place: Place): number {
  const given = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  const result = typeof given === "bigint" ? Number(given) : given;
  if (typeof result !== "number" || !Number.isFinite(result))
    throw place.refuse("must be a number", value ?? null);
  return result;
}

export function maybeNumber(value: unknown, place: Place, least: number): number | undefined {
  if (isNil(value)) return undefined;
  const result = number(value, place);
  if (result < least) throw place.refuse(`must be at least ${least}`, result);
  return result;
}

export function maybeCount(value: unknown, place: Place, least: number): number | undefined {
  const result = maybeNumber(value, place, least);
  if (result !== undefined && !Number.isInteger(result)) throw place.refuse("must be a whole number", result);
  return result;
}

export function maybeFlag(value: unknown, place: Place): boolean | undefined {
  if (isNil(value)) return undefined;
  if (typeof value !== "boolean") throw place.refuse("must be true or false", value);
  return value;
}

export function table(value: unknown, place: Place): Table {
  if (!isPlainObject(value)) throw place.refuse("must be a table with named fields", value ?? null);
  return value;
}

/** `{}` is an empty list. */
export function list(value: unknown, place: Place): unknown[] {
  if (Array.isArray(value)) return value;
  if (isPlainObject(value) && Object.keys(value).length === 0) return [];
  throw place.refuse("must be a list", value ?? null);
}

export function word<W extends string>(value: unknown, words: readonly W[], place: Place): W | undefined {
  if (isNil(value)) return undefined;
  const given = text(value, place);
  const found = words.find((known) => known === given.toLowerCase());
  if (found !== undefined) return found;
  throw place.refuse(`must be one of ${words.join(", ")}`, given, didYouMean(given, words));
}

export function checkKeys(value: Table, known: readonly string[], place: Place): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    throw place
      .at(key)
      .refuse("is no field there", undefined, didYouMean(key, known) ?? `Fields are ${known.join(", ")}`);
  }
}

/** Names must differ from one another. */
export function checkNames(items: readonly { name: string }[], what: string, place: Place): void {
  const seen = new Set<string>();
  for (const [i, { name }] of items.entries()) {
    if (seen.has(name))
      throw place.item(i).at("name").refuse(`must be unique: there is a ${what} of this name`, name);
    seen.add(name);
  }
}

/** What steps and loops are given is data: it is written down, compared and filled in. */
export function refuseObjects(value: unknown, place: Place): void {
  if (isScriptFunction(value) || value instanceof Handle) throw place.refuse("must be data", value);
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) refuseObjects(item, place.item(i));
  } else if (isPlainObject(value)) {
    for (const [key, item] of Object.entries(value)) refuseObjects(item, place.at(key));
  }
}
