/** Request bodies: JSON within bounds, checked against a schema, nothing unknown let through. */
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { messageOf, SpellError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/nearest.ts";
import { isPlainObject } from "../../../core/values.ts";

/** Deeper values are refused: templates, schemas and native code walk them recursively. */
const MAX_NESTING = 100;

export type Fields = Record<string, unknown>;

/** @throws SpellError invalid_argument, with the parameter in `data.param` */
export function badRequest(problem: string, param?: string, hint?: string): SpellError {
  return new SpellError("invalid_argument", `Cannot take the request: ${problem}`, {
    ...(param === undefined ? {} : { data: { param } }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The fields of a JSON object; those that are null count as not given. @throws SpellError invalid_argument */
export function readFields(text: string): Fields {
  refuseNesting(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is not valid JSON: ${messageOf(error).replace(/^JSON Parse error: /, "")}`);
  }
  if (!isPlainObject(value)) throw badRequest("the body must be a JSON object");
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

/** @throws SpellError invalid_argument naming the first field that breaks the schema */
export function readAs<T extends TSchema>(schema: T, fields: Fields): Static<T> {
  const errors = Value.Errors(schema, fields);
  if (errors.length === 0) return fields as Static<T>;
  const unknown = errors.find(({ keyword }) => keyword === "additionalProperties");
  if (unknown !== undefined) {
    const [name] = (unknown.params as { additionalProperties: string[] }).additionalProperties;
    const known = Object.keys((schema as unknown as { properties?: object }).properties ?? {});
    const param = placeOf(`${unknown.instancePath}/${name}`);
    const hint = unknown.instancePath === "" ? didYouMean(name!, known) : undefined;
    throw badRequest(`unknown parameter: "${param}"`, param, hint);
  }
  const missing = errors.find(({ keyword }) => keyword === "required");
  if (missing !== undefined) {
    const [name] = (missing.params as { requiredProperties: string[] }).requiredProperties;
    const param = placeOf(`${missing.instancePath}/${name}`);
    throw badRequest(`"${param}" is required`, param);
  }
  const deepest = errors.reduce(
    (path, e) => (depthOf(e.instancePath) > depthOf(path) ? e.instancePath : path),
    "",
  );
  const rules = errors
    .filter(({ instancePath, keyword }) => instancePath === deepest && keyword !== "anyOf")
    .map(({ keyword, params, message }) =>
      keyword === "enum"
        ? `must be one of ${(params as { allowedValues: unknown[] }).allowedValues.map((v) => JSON.stringify(v)).join(", ")}`
        : message,
    );
  const param = placeOf(deepest);
  throw badRequest(
    `"${param}" ${[...new Set(rules)].join(" or ")}: ${shown(Value.Pointer.Get(fields, deepest))}`,
    param,
  );
}

/** `messages[0].content` for the JSON Pointer `/messages/0/content`. */
function placeOf(pointer: string): string {
  return pointer
    .split("/")
    .slice(1)
    .map((word) => word.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((word, i) => (/^\d+$/.test(word) ? `[${word}]` : i === 0 ? word : `.${word}`))
    .join("");
}

const depthOf = (pointer: string) => pointer.split("/").length;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function refuseNesting(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) inString = false;
    } else if (c === QUOTE) inString = true;
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > MAX_NESTING) throw badRequest(`the body is nested deeper than ${MAX_NESTING} levels`);
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) depth--;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;
