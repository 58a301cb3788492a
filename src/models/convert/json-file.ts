import { cannotConvert } from "./failure.ts";
import { readInputFile } from "./input-file.ts";

/** A JSON object as it stands in a file. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A tokenizer of 250,000 pieces takes 17 MB. */
const LONGEST_BYTES = 64 << 20;

/** @throws SpellError not_found, io, model_invalid */
export function readJson(path: string): unknown {
  const text = readInputFile(path, LONGEST_BYTES).toString();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw cannotConvert(`it is not JSON: ${error instanceof Error ? error.message : String(error)}`, path);
  }
}

/** @throws SpellError not_found, io, model_invalid */
export function readJsonObject(path: string): JsonObject {
  const value = readJson(path);
  if (!isObject(value)) throw cannotConvert("it is not a JSON object", path);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
