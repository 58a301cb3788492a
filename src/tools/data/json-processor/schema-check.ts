/** JSON Schema (draft 7) validation. Runs in the worker: a `pattern` of the user may take any time. */
import Schema from "typebox/schema";
import { messageOf, SpellError } from "../../../core/errors.ts";

export interface SchemaError {
  /** JSON Pointer of the value that is wrong; "" is the whole document. */
  path: string;
  message: string;
  keyword: string;
}

export interface Validation {
  is_valid: boolean;
  errors: SchemaError[];
}

const MAX_ERRORS = 100;

/** @throws SpellError invalid_argument: the schema cannot be used */
export function validate(schema: unknown, value: unknown): Validation {
  checkReferences(schema);
  try {
    const [isValid, errors] = Schema.Errors(withoutReferenceSiblings(schema) as Schema.XSchema, value);
    if (isValid) return { is_valid: true, errors: [] };
    const listed = errors.slice(0, MAX_ERRORS).map(({ instancePath, message, keyword }) => ({
      path: instancePath,
      message,
      keyword,
    }));
    return { is_valid: false, errors: listed };
  } catch (error) {
    const reason = error instanceof RangeError ? "its references have no end" : messageOf(error);
    throw new SpellError("invalid_argument", `Invalid schema: ${reason}`, { cause: error });
  }
}

/** Beside `$ref` these still count in draft 7, as places that references lead to. */
const BESIDE_REFERENCE = new Set(["$ref", "$id", "definitions", "$defs"]);
/** Members that hold values, not schemas. */
const VALUES = new Set(["enum", "const", "default", "examples"]);

/** In draft 7 a `$ref` replaces the schema it stands in; the validator follows later drafts, where it adds to it. */
function withoutReferenceSiblings(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutReferenceSiblings);
  if (typeof schema !== "object" || schema === null) return schema;
  const isReference = typeof (schema as { $ref?: unknown }).$ref === "string";
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => !isReference || BESIDE_REFERENCE.has(key))
      .map(([key, item]) => [key, VALUES.has(key) ? item : withoutReferenceSiblings(item)]),
  );
}

/** Only references within the schema can be followed: nothing is fetched. */
function checkReferences(schema: unknown): void {
  const ids = new Set<string>();
  const references: string[] = [];
  const pending = [schema];
  while (pending.length > 0) {
    const item = pending.pop();
    if (typeof item !== "object" || item === null) continue;
    if (!Array.isArray(item)) {
      const { $id, $ref } = item as { $id?: unknown; $ref?: unknown };
      if (typeof $id === "string") ids.add($id.replace(/#$/, ""));
      if (typeof $ref === "string") references.push($ref);
    }
    pending.push(...Object.values(item));
  }
  for (const reference of references) {
    const base = reference.split("#")[0]!;
    const isLocal = base === "" || ids.has(base) || [...ids].some((id) => id.endsWith(`/${base}`));
    if (!isLocal && URL.canParse(base)) {
      throw new SpellError(
        "invalid_argument",
        `Invalid schema: a reference leads outside of it: ${reference}`,
        {
          hint: "Put the referenced schema under definitions and refer to #/definitions/NAME",
        },
      );
    }
  }
}
