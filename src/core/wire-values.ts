/**
 * Values of the kernel API as JSON can say them. What JSON lacks stands in an object with one key:
 * `{"$bytes": base64}`, `{"$integer": digits}` beyond 2^53, `{"$number": "NaN" | "Infinity" | "-Infinity" | "-0"}`. An
 * object whose only key begins with `$` is wrapped: `{"$object": {…}}`.
 */
import { SpellError } from "./errors.ts";
import { isPlainObject } from "./values.ts";

/** Deeper than any value of a script and what stands around it. */
const MAX_NESTING = 256;

const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  "-0": -0,
};

/** @throws SpellError invalid_argument for functions, objects of classes and what nests too deep */
export function toWire(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case "bigint":
      return { $integer: String(value) };
    case "number":
      if (Object.is(value, -0)) return { $number: "-0" };
      return Number.isFinite(value) ? value : { $number: String(value) };
    case "string":
    case "boolean":
    case "undefined":
      return value;
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (depth === MAX_NESTING) throw tooDeep();
  if (Array.isArray(value)) return value.map((item) => toWire(item, depth + 1) ?? null);
  if (!isPlainObject(value))
    throw new SpellError("invalid_argument", `Cannot send the value: JSON has no form for ${typeof value}s`);
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  const copy = Object.fromEntries(entries.map(([key, member]) => [key, toWire(member, depth + 1)]));
  return entries.length === 1 && entries[0]![0].startsWith("$") ? { $object: copy } : copy;
}

/** The opposite of `toWire`, for what `JSON.parse` gave. @throws SpellError invalid_argument */
export function fromWire(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth === MAX_NESTING) throw tooDeep();
  if (Array.isArray(value)) return value.map((item) => fromWire(item, depth + 1));
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first![0].startsWith("$")) return untagged(first![0], first![1], depth);
  return membersFromWire(entries, depth);
}

function membersFromWire(entries: [string, unknown][], depth: number): Record<string, unknown> {
  return Object.fromEntries(entries.map(([key, member]) => [key, fromWire(member, depth + 1)]));
}

function untagged(tag: string, content: unknown, depth: number): unknown {
  if (tag === "$object" && isPlainObject(content)) return membersFromWire(Object.entries(content), depth);
  if (typeof content === "string") {
    if (tag === "$bytes" && BASE64.test(content)) return new Uint8Array(Buffer.from(content, "base64"));
    if (tag === "$integer" && INTEGER.test(content)) return BigInt(content);
    if (tag === "$number" && Object.hasOwn(NUMBERS, content)) return NUMBERS[content];
  }
  throw new SpellError("invalid_argument", `Cannot read the message: unknown form of a value: "${tag}"`);
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const INTEGER = /^-?\d{1,20}$/;

function tooDeep(): SpellError {
  return new SpellError(
    "limit",
    `Cannot pass the value: it must nest at most ${MAX_NESTING} levels: it is deeper`,
    { data: { limit: "depth" } },
  );
}
