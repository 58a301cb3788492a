/**
 * State in a file: an object by storage key. What JSON lacks has the forms of `core/wire-values.ts`; TOML lacks null as
 * well, which is `{"$null" = true}` there.
 */
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { parse, stringify } from "smol-toml";
import { messageOf, SpellError } from "../core/errors.ts";
import { ioError } from "../core/io-error.ts";
import { parseJson, stringifyJson } from "../core/json.ts";
import { isPlainObject } from "../core/values.ts";
import { fromWire, toWire } from "../core/wire-values.ts";

export type StateFormat = "json" | "toml";

/** The file is there whole or not at all. @throws SpellError io */
export async function writeStateFile(
  path: string,
  state: Record<string, unknown>,
  format: StateFormat,
): Promise<void> {
  const members = Object.entries(state).map(([key, value]) => [key, toWire(value)]);
  const wire = Object.fromEntries(members) as Record<string, unknown>;
  const text = format === "toml" ? stringify(withoutNull(wire)) : `${stringifyJson(wire, true)}\n`;
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text, { mode: 0o600, flush: true });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw ioError("Cannot write the export", path, error);
  }
}

/** @param shown the path as the user gave it @throws SpellError not_found, io, invalid_argument */
export async function readStateFile(path: string, shown: string): Promise<Record<string, unknown>> {
  if (!existsSync(path)) throw new SpellError("not_found", `Import file does not exist: ${shown}`);
  const wire = shown.toLowerCase().endsWith(".toml")
    ? parseToml(textOf(path), shown)
    : parseJsonFile(path, shown);
  if (!isPlainObject(wire)) throw notState(shown, "it must be an object of values by key");
  return Object.fromEntries(Object.entries(wire).map(([key, value]) => [key, fromWire(value)]));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw ioError("Cannot read the import file", path, error);
  }
}

function parseJsonFile(path: string, shown: string): unknown {
  try {
    return parseJson(textOf(path));
  } catch (error) {
    if (!(error instanceof SpellError) || error.code === "io") throw error;
    throw notState(shown, `invalid JSON: ${error.message.replace(/^JSON parse error: /, "")}`);
  }
}

function parseToml(text: string, shown: string): unknown {
  try {
    return withNull(parse(text, { integersAsBigInt: "asNeeded" }));
  } catch (error) {
    throw notState(shown, `invalid TOML: ${messageOf(error).split("\n")[0]!}`);
  }
}

function notState(path: string, reason: string): SpellError {
  return new SpellError("invalid_argument", `Cannot import state: ${reason}: ${path}`, {
    hint: "Give a file that `llmspell state export` wrote",
  });
}

function withoutNull(value: unknown): unknown {
  if (value === null) return { $null: true };
  if (Array.isArray(value)) return value.map(withoutNull);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutNull(member)]));
}

/** An object within `$object` is a user's own, whatever its key. */
function withNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withNull);
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first![0] === "$null" && first![1] === true) return null;
  if (entries.length === 1 && first![0] === "$object" && typeof first![1] === "object")
    return { $object: members(Object.entries(first![1] as object)) };
  return members(entries);
}

const members = (entries: [string, unknown][]): Record<string, unknown> =>
  Object.fromEntries(entries.map(([key, member]) => [key, withNull(member)]));
