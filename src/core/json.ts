/**
 * JSON text that keeps 64-bit integers exact in both directions and writes object keys in order
 * (spec/lua-api.md sections 0.1 and 11). Values are those of `core/values.ts`.
 */
import { SpellError } from "./errors.ts";
import { jsonErrorOffset } from "./json-error.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** Digits enough to exceed a double, not a fraction. Also found inside strings: then only time is lost. */
const LONG_INTEGER = /(?:^|[^0-9.])[0-9]{16,19}(?![0-9.eE])/;
const INTEGER = /^-?[0-9]+$/;

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
 * Compact text with object keys sorted by code point; with `pretty`, indented by two spaces. NaN and infinities become null.
 * @throws SpellError invalid_argument for bytes, functions, kernel objects and cycles, naming the place
 */
export function stringifyJson(value: unknown, pretty = false): string {
  const writer = new JsonWriter(pretty);
  writer.write(value);
  return writer.text;
}

/** Appends to one string: several times faster on large tables than joining pieces. */
class JsonWriter {
  text = "";
  /** The containers being written and the place in each, for cycles and messages. */
  private readonly parents: object[] = [];
  private readonly places: (string | number)[] = [];
  private readonly labels = new Map<string, string>();
  private readonly colon: string;

  constructor(private readonly pretty: boolean) {
    this.colon = pretty ? ": " : ":";
  }

  write(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.text += quote(value);
        return;
      case "number":
        this.text += Number.isFinite(value) ? value : "null";
        return;
      case "boolean":
      case "bigint":
        this.text += value;
        return;
      case "undefined":
        this.text += "null";
        return;
      case "object":
        if (value === null) this.text += "null";
        else if (Array.isArray(value)) this.array(value);
        else if (isRecord(value)) this.object(value);
        else throw this.unwritable(describe(value));
        return;
      default:
        throw this.unwritable(describe(value));
    }
  }

  private array(items: readonly unknown[]): void {
    this.open(items, "[");
    for (let i = 0; i < items.length; i++) {
      this.separate(i, i);
      this.write(items[i]);
    }
    this.close("]", items.length);
  }

  private object(members: Record<string, unknown>): void {
    this.open(members, "{");
    const keys = sortedKeys(members);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      this.separate(i, key);
      this.text += this.label(key);
      this.write(members[key]);
    }
    this.close("}", keys.length);
  }

  /** The quoted key with its colon: few keys, used often. */
  private label(key: string): string {
    let label = this.labels.get(key);
    if (label === undefined) {
      label = quote(key) + this.colon;
      this.labels.set(key, label);
    }
    return label;
  }

  private open(container: object, bracket: string): void {
    if (this.parents.includes(container)) throw this.unwritable("a table that contains itself");
    this.parents.push(container);
    this.places.push("");
    this.text += bracket;
  }

  private separate(index: number, place: string | number): void {
    this.places[this.places.length - 1] = place;
    if (index > 0) this.text += ",";
    if (this.pretty) this.lineBreak();
  }

  private close(bracket: string, count: number): void {
    this.parents.pop();
    this.places.pop();
    if (this.pretty && count > 0) this.lineBreak();
    this.text += bracket;
  }

  private lineBreak(): void {
    this.text += `\n${"  ".repeat(this.parents.length)}`;
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

const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

const quote = (text: string): string => (NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`);

function isRecord(value: object): value is Record<string, unknown> {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const SURROGATE_OR_ABOVE = /[\ud800-\uffff]/;

/** Plain sorting compares UTF-16 units, which differs from code points above the surrogates. */
function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  return keys.some((key) => SURROGATE_OR_ABOVE.test(key)) ? keys.sort(byCodePoint) : keys.sort();
}

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function describe(value: unknown): string {
  if (value instanceof Uint8Array) return "a string that is not UTF-8";
  const kind = typeof value === "object" ? (value as { kind?: unknown }).kind : undefined;
  return kind === "handle" ? "an object" : kind === "table" ? "a result table" : "a function";
}
