/** A small value that a JSON Schema allows, as far as that can be told without searching: what a dry run answers. */
import { isPlainObject } from "../../core/values.ts";

type Schema = Readonly<Record<string, unknown>>;
/** Schemas that contain themselves end here. */
const MAX_DEPTH = 8;

export function sampleOf(schema: unknown, root: unknown = schema, depth = 0): unknown {
  if (!isPlainObject(schema) || depth > MAX_DEPTH) return {};
  const given: Schema = schema;
  if ("const" in given) return given.const;
  if (Array.isArray(given.enum)) return given.enum[0];
  if (typeof given.$ref === "string") return sampleOf(resolved(given.$ref, root), root, depth + 1);
  for (const word of ["anyOf", "oneOf"] as const) {
    const choices = given[word];
    if (Array.isArray(choices)) return sampleOf(choices[0], root, depth + 1);
  }
  if (Array.isArray(given.allOf)) {
    const parts = [given, ...given.allOf].filter(isPlainObject).map(({ allOf: _, ...part }) => part);
    const values = parts.map((part) => sampleOf(part, root, depth + 1));
    return values.every(isPlainObject) ? Object.assign({}, ...values) : values.at(-1);
  }
  switch (typeOf(given)) {
    case "string":
      return textOf(given);
    case "integer":
    case "number":
      return numberOf(given);
    case "boolean":
      return false;
    case "null":
      return null;
    case "array": {
      const least = typeof given.minItems === "number" ? given.minItems : 0;
      return Array.from({ length: least }, () => sampleOf(given.items ?? {}, root, depth + 1));
    }
    default: {
      const properties = isPlainObject(given.properties) ? given.properties : {};
      const names = Array.isArray(given.required) ? (given.required as string[]) : [];
      return Object.fromEntries(
        names.map((name) => [name, sampleOf(properties[name] ?? {}, root, depth + 1)]),
      );
    }
  }
}

function typeOf({ type, properties, items }: Schema): unknown {
  if (Array.isArray(type)) return type[0];
  return type ?? (properties !== undefined ? "object" : items !== undefined ? "array" : "object");
}

const FORMATS: Readonly<Record<string, string>> = {
  date: "2000-01-01",
  time: "00:00:00Z",
  "date-time": "2000-01-01T00:00:00Z",
  email: "nobody@example.com",
  uri: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
};

function textOf({ format, minLength, maxLength }: Schema): string {
  if (typeof format === "string" && Object.hasOwn(FORMATS, format)) return FORMATS[format]!;
  const least = typeof minLength === "number" ? minLength : 0;
  const most = typeof maxLength === "number" ? maxLength : Number.POSITIVE_INFINITY;
  return "dry run".padEnd(least, ".").slice(0, most);
}

function numberOf({ minimum, exclusiveMinimum, maximum, multipleOf, type }: Schema): number {
  const step = typeof multipleOf === "number" ? multipleOf : type === "integer" ? 1 : 0.5;
  let value = 0;
  if (typeof minimum === "number" && value < minimum) value = Math.ceil(minimum / step) * step;
  if (typeof exclusiveMinimum === "number" && value <= exclusiveMinimum)
    value = (Math.floor(exclusiveMinimum / step) + 1) * step;
  if (typeof maximum === "number" && value > maximum) value = Math.floor(maximum / step) * step;
  return value;
}

/** `#/$defs/name` and the like. */
function resolved(reference: string, root: unknown): unknown {
  if (!reference.startsWith("#")) return {};
  return reference
    .slice(1)
    .split("/")
    .filter((part) => part !== "")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((at, part) => (isPlainObject(at) ? at[part] : undefined), root);
}
