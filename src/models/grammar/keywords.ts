/** The keywords of JSON Schema as far as answers can be held to them. */
import { didYouMean } from "../../core/nearest.ts";
import { refusal } from "./refusal.ts";

export type Node = Readonly<Record<string, unknown>>;

export const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"] as const;
export type Type = (typeof TYPES)[number];

/** By the type of value that they say something about. */
export const KEYWORDS_OF = {
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  array: ["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"],
  object: [
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "patternProperties",
  ],
} as const;

const COMBINING = ["$ref", "allOf", "anyOf", "oneOf", "type", "enum", "const"];

/** They say nothing about which values are right. */
const ANNOTATIONS = [
  "$schema",
  "$id",
  "id",
  "$comment",
  "$defs",
  "definitions",
  "title",
  "description",
  "default",
  "example",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "contentEncoding",
  "contentMediaType",
  "discriminator",
];

const HELD = new Set<string>([...COMBINING, ...Object.values(KEYWORDS_OF).flat()]);
export const HELD_KEYWORDS = [...HELD];
const KNOWN = new Set<string>([...HELD, ...ANNOTATIONS]);

/** Known to JSON Schema, not to us. */
export const REFUSED_KEYWORDS = [
  "not",
  "if",
  "then",
  "else",
  "contains",
  "minContains",
  "maxContains",
  "dependencies",
  "dependentRequired",
  "dependentSchemas",
  "unevaluatedItems",
  "unevaluatedProperties",
  "$anchor",
  "$dynamicRef",
  "$dynamicAnchor",
  "$recursiveRef",
  "$recursiveAnchor",
  "contentSchema",
];

/** What of a schema restricts values. @throws SpellError invalid_argument for a keyword that is not held */
export function assertions(node: Node, path: string): Record<string, unknown> {
  const held: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(node)) {
    if (HELD.has(keyword)) {
      checkForm(keyword, value, path);
      held[keyword] = value;
    } else if (!KNOWN.has(keyword) && !keyword.startsWith("x-")) {
      const near = REFUSED_KEYWORDS.includes(keyword) ? undefined : didYouMean(keyword, HELD);
      throw refusal(keyword, path, near === undefined ? "cannot be held" : `is no known keyword (${near})`);
    } else if ((keyword === "$id" || keyword === "id") && path !== "#" && typeof value === "string") {
      throw refusal(keyword, path, "cannot be held below the root");
    }
  }
  return held;
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
const isText = (value: unknown) => typeof value === "string";
const isSchema = (value: unknown) => typeof value === "boolean" || isNode(value);
const isSchemas = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isSchema);
const isSchemaTable = (value: unknown) =>
  isEmptyList(value) || (isNode(value) && Object.values(value).every(isSchema));
const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0; // an empty table of Lua

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const FORMS: Readonly<Record<string, readonly [(value: unknown) => boolean, string]>> = {
  $ref: [isText, "a string"],
  allOf: [isSchemas, "a list of schemas"],
  anyOf: [isSchemas, "a list of schemas"],
  oneOf: [isSchemas, "a list of schemas"],
  type: [
    (value) => [value].flat().length > 0 && [value].flat().every((one) => TYPES.includes(one as Type)),
    `one or several of ${TYPES.join(", ")}`,
  ],
  enum: [(value) => Array.isArray(value) && value.length > 0, "a list of values"],
  const: [() => true, "a value"],
  minLength: [isCount, "a count"],
  maxLength: [isCount, "a count"],
  pattern: [isText, "a string"],
  format: [isText, "a string"],
  minimum: [isNumber, "a number"],
  maximum: [isNumber, "a number"],
  exclusiveMinimum: [isNumber, "a number"],
  exclusiveMaximum: [isNumber, "a number"],
  multipleOf: [(value) => isNumber(value) && (value as number) > 0, "a number above 0"],
  items: [
    (value) => isSchema(value) || (Array.isArray(value) && value.every(isSchema)),
    "a schema or a list of them",
  ],
  prefixItems: [isSchemas, "a list of schemas"],
  additionalItems: [isSchema, "a schema"],
  minItems: [isCount, "a count"],
  maxItems: [isCount, "a count"],
  uniqueItems: [(value) => typeof value === "boolean", "true or false"],
  properties: [isSchemaTable, "a table of schemas"],
  required: [
    (value) => (Array.isArray(value) && value.every(isText)) || isEmptyTable(value),
    "a list of names",
  ],
  additionalProperties: [(value) => isSchema(value) || isEmptyList(value), "a schema"],
  minProperties: [isCount, "a count"],
  maxProperties: [isCount, "a count"],
  propertyNames: [isSchema, "a schema"],
  patternProperties: [isSchemaTable, "a table of schemas"],
};

const isEmptyTable = (value: unknown) => isNode(value) && Object.keys(value).length === 0;

function checkForm(keyword: string, value: unknown, path: string): void {
  const [fits, form] = FORMS[keyword]!;
  if (!fits(value)) throw refusal(keyword, path, `must be ${form}`);
}
