/**
 * JSON text that keeps 64-bit integers exact in both directions and writes object keys in order
 * (spec/lua-api.md sections 0.1 and 11). Values are those of `core/values.ts`.
 */
import { withTextForBytes } from "./bytes-as-text.ts";
import { SpellError } from "./errors.ts";
import { jsonErrorOffset } from "./json-error.ts";

declare global {
  /** ECMAScript 2026, in the runtime already and not yet in the compiler's library. */
  interface JSON {
    rawJSON(text: string): object;
    isRawJSON(value: unknown): boolean;
  }
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const INTEGER = /^-?[0-9]+$/;
/** Digits enough to exceed a double, not a fraction. Also found inside strings: then only time is lost. */
const LONG_INTEGER = /(?:^|[^0-9.])[0-9]{16,19}(?![0-9.eE])/;

/** @throws SpellError invalid_argument: `JSON parse error: …`, with `line` and `column` in its data */
export function parseJson(text: string): unknown {
  try {
    return LONG_INTEGER.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text);
  } catch (cause) {
    const before = text.slice(0, jsonErrorOffset(text)).split("\n");
    const line = before.length;
    const column = before[line - 1]!.length + 1;
    const reason = (cause as Error).message.replace(/^JSON Parse error: /, "");
    throw new SpellError("invalid_argument", `JSON parse error: ${reason} at line ${line} column ${column}`, {
      data: { line, column },
      cause,
    });
  }
}

/** A reviver: integers that a double cannot hold become `bigint` while they fit 64 bits. */
function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value) || context?.source === undefined) return value;
  if (!INTEGER.test(context.source)) return value;
  const integer = BigInt(context.source);
  return integer >= INT64_MIN && integer <= INT64_MAX ? integer : value;
}

/**
 * Compact text with object keys sorted; with `pretty`, indented by two spaces. NaN and infinities become null.
 * @throws SpellError invalid_argument for bytes, functions, kernel objects and cycles, naming the place
 */
export function stringifyJson(value: unknown, pretty = false): string {
  const sorter = new Sorter();
  const sorted = sorter.sorted(value);
  if (sorter.engineReorders) return write(sorted, pretty ? "\n" : "");
  return JSON.stringify(sorted, null, pretty ? 2 : undefined) ?? "null";
}

/**
 * A copy of a script's value for a document that `JSON.stringify` writes: keys in order, integers exact, bytes as base64.
 * @throws SpellError invalid_argument for functions, kernel objects and cycles, naming the place
 */
export function documentValue(value: unknown): unknown {
  return new Sorter().sorted(withTextForBytes(value));
}

/** Copies tables with their keys in order and refuses what JSON cannot say; the runtime then writes the text, fast. */
class Sorter {
  /** True when an object has keys like "10" and "9", which the runtime puts into numeric order. */
  engineReorders = false;
  /** The containers being copied and the place in each, for cycles and messages. */
  private readonly parents: object[] = [];
  private readonly places: (string | number)[] = [];

  sorted(value: unknown): unknown {
    if (typeof value === "bigint") return JSON.rawJSON(String(value));
    if (typeof value === "function") throw this.unwritable("a function");
    if (typeof value !== "object" || value === null) return value;
    if (this.parents.includes(value)) throw this.unwritable("a table that contains itself");
    const depth = this.parents.push(value) - 1;
    let copy: unknown;
    if (Array.isArray(value)) {
      copy = value.map((item, i) => {
        this.places[depth] = i;
        return this.sorted(item);
      });
    } else if (isRecord(value)) {
      copy = this.sortedRecord(value, depth);
    } else {
      this.parents.pop();
      throw this.unwritable(describe(value));
    }
    this.parents.pop();
    this.places.length = depth;
    return copy;
  }

  private sortedRecord(value: Record<string, unknown>, depth: number): Record<string, unknown> {
    const keys = Object.keys(value).sort();
    if (keys.some((key) => key >= "0" && key < ":")) this.engineReorders = true;
    const copy: Record<string, unknown> = {};
    for (const key of keys) {
      this.places[depth] = key;
      const member = this.sorted(value[key]);
      if (key === "__proto__") Object.defineProperty(copy, key, { value: member, enumerable: true });
      else copy[key] = member;
    }
    return copy;
  }

  private unwritable(what: string): SpellError {
    const path = this.places
      .map((place) => (typeof place === "number" ? `[${place + 1}]` : `.${place}`))
      .join("")
      .replace(/^\./, "");
    return new SpellError(
      "invalid_argument",
      `Cannot write JSON: ${what} has no JSON form${path === "" ? "" : `: "${path}"`}`,
      { data: { path }, hint: "Convert it to text, a number or a table first" },
    );
  }
}

/** The same text for what `Sorter` returned, with sorted keys whatever the keys look like. */
function write(value: unknown, newline: string): string {
  const isArray = Array.isArray(value);
  if (typeof value !== "object" || value === null || JSON.isRawJSON(value))
    return JSON.stringify(value) ?? "null";
  const inner = newline === "" ? "" : `${newline}  `;
  const colon = newline === "" ? ":" : ": ";
  const record = value as Record<string, unknown>;
  const items = isArray
    ? value.map((item) => write(item, inner))
    : Object.keys(record)
        .sort()
        .map((key) => JSON.stringify(key) + colon + write(record[key], inner));
  const [open, close] = isArray ? "[]" : "{}";
  return items.length === 0
    ? `${open}${close}`
    : `${open}${inner}${items.join(`,${inner}`)}${newline}${close}`;
}

function isRecord(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (value instanceof Uint8Array) return "a string that is not UTF-8";
  const kind = (value as { kind?: unknown }).kind;
  return kind === "handle" ? "an object" : kind === "table" ? "a result table" : "a function";
}
