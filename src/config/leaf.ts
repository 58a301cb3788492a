/** Single values: their type, range and form, from a TOML file or from the text of an environment variable. */
import type { SchemaNode } from "./node.ts";
import { isTree } from "./tree.ts";

/** Why a value does not fit its key. */
export class Mismatch {
  constructor(readonly reason: string) {}
}

/** Checks one value of a file and brings it into the form of the schema; `expandText` replaces `${VAR}` and `~`. */
export function decodeLeaf(node: SchemaNode, raw: unknown, expandText: (text: string) => string): unknown {
  const expands = node["x-path"] === true || node["x-expand"] === true;
  const expand = expands ? expandText : (text: string) => text;
  const mismatch = (expected: string, got: unknown) =>
    new Mismatch(`expected ${expected}, got ${node["x-secret"] ? `a ${typeof got}` : describe(got)}`);
  switch (node.type) {
    case "boolean":
      return typeof raw === "boolean" ? raw : mismatch("a boolean (true or false)", raw);
    case "integer":
    case "number":
      return decodeNumber(node, raw) ?? mismatch(node.type === "integer" ? "an integer" : "a number", raw);
    case "string":
      return typeof raw === "string" ? decodeWord(node, expand(raw)) : mismatch("a text", raw);
    case "array": {
      const entries = typeof raw === "string" ? splitList(raw) : raw;
      if (!Array.isArray(entries)) return mismatch("a list of texts", raw);
      const wrong = entries.find((entry) => typeof entry !== "string");
      return wrong === undefined ? entries.map(expand) : mismatch("a list of texts", wrong);
    }
    default:
      return plain(raw, expand);
  }
}

function decodeNumber(node: SchemaNode, raw: unknown): unknown {
  const value = node["x-size"] && typeof raw === "string" ? parseSize(raw) : raw;
  if (typeof value !== "number" || Number.isNaN(value)) return undefined;
  if (node.type === "integer" && !Number.isInteger(value)) return undefined;
  return rangeProblem(node, value) ?? value;
}

function rangeProblem(node: SchemaNode, value: number): Mismatch | undefined {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity } = node;
  if (value >= minimum && value <= maximum && value > exclusiveMinimum) return undefined;
  if (maximum !== Infinity) return new Mismatch(`must be between ${minimum} and ${maximum}: ${value}`);
  if (minimum === 1 || exclusiveMinimum === 0) return new Mismatch(`must be greater than 0: ${value}`);
  if (minimum === 0) return new Mismatch(`must not be negative: ${value}`);
  return new Mismatch(`must be at least ${minimum}: ${value}`);
}

function decodeWord(node: SchemaNode, text: string): unknown {
  if (node.enum === undefined) return text;
  const word = node.enum.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
  return word ?? new Mismatch(`must be one of ${node.enum.join(", ")}: ${JSON.stringify(text)}`);
}

export function describe(value: unknown): string {
  if (value instanceof Date) return "a date";
  if (Array.isArray(value)) return "a list";
  if (isTree(value)) return "a table";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** A value that no schema types, with its texts expanded and dates as texts. */
function plain(value: unknown, expand: (text: string) => string): unknown {
  if (typeof value === "string") return expand(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((entry) => plain(entry, expand));
  if (!isTree(value)) return value;
  const entries = Object.entries(value).filter(([key]) => key !== "__proto__");
  return Object.fromEntries(entries.map(([key, entry]) => [key, plain(entry, expand)]));
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

const SIZE_FACTORS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function parseSize(text: string): number | string {
  const [, digits, unit] = /^(\d+)\s*([kmg]?)i?b?$/i.exec(text.trim()) ?? [];
  return digits === undefined ? text : Number(digits) * SIZE_FACTORS[unit!.toLowerCase()]!;
}

/** A text from the environment, typed by its schema; it still has to pass `decodeLeaf`. */
export function parseText(node: SchemaNode, text: string): unknown {
  const value = text.trim();
  switch (node.type) {
    case "boolean": {
      const word = value.toLowerCase();
      if (["true", "1", "yes", "on"].includes(word)) return true;
      if (["false", "0", "no", "off"].includes(word)) return false;
      return new Mismatch(`expected true or false (or 1/0, yes/no, on/off), got ${JSON.stringify(text)}`);
    }
    case "integer":
      if (/^[+-]?\d+$/.test(value)) return Number(value);
      return new Mismatch(`expected an integer, got ${JSON.stringify(text)}`);
    case "number":
      if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return Number(value);
      return new Mismatch(`expected a number, got ${JSON.stringify(text)}`);
    case "array":
      return splitList(value);
    default:
      return text;
  }
}
