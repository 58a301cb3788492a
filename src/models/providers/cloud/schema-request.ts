/** How a schema for the answer goes to a vendor: with the request, strictly where it can be kept so, or in words. */
import type { LanguageModelV4CallOptions, LanguageModelV4Message } from "@ai-sdk/provider";
import { stringifyJson } from "../../../core/json.ts";
import { isPlainObject } from "../../../core/values.ts";
import { COMPATIBLE, type Vendor } from "./vendors.ts";

/** OpenAI's models of before structured outputs (August 2024) refuse schemas. */
const BEFORE_SCHEMAS = /^(gpt-3\.5|gpt-4$|gpt-4-|gpt-4o-2024-05-13$)/;

export function schemaRequest(
  options: LanguageModelV4CallOptions,
  vendor: Vendor,
  modelId: string,
  isAllowed: boolean,
): LanguageModelV4CallOptions {
  const { responseFormat, prompt, providerOptions } = options;
  if (responseFormat?.type !== "json" || responseFormat.schema === undefined) return options;
  const { schema } = responseFormat;
  const isSent = isAllowed && !(vendor.schemas === "strict" && BEFORE_SCHEMAS.test(modelId));
  if (!isSent) return { ...options, responseFormat: { type: "json" }, prompt: told(prompt, schema) };
  if (vendor.schemas !== "strict") return options;
  const strictJsonSchema = fitsStrictMode(schema);
  return {
    ...options,
    providerOptions: {
      ...providerOptions,
      ...Object.fromEntries(
        ["openai", "groq", COMPATIBLE].map((name) => [
          name,
          { ...providerOptions?.[name], strictJsonSchema },
        ]),
      ),
    },
  };
}

function told(prompt: readonly LanguageModelV4Message[], schema: unknown): LanguageModelV4Message[] {
  const rule = `Answer with JSON that fits this JSON Schema, and nothing else:\n${stringifyJson(schema)}`;
  const [first, ...others] = prompt;
  return first?.role === "system"
    ? [{ ...first, content: `${first.content}\n\n${rule}` }, ...others]
    : [{ role: "system", content: rule }, ...prompt];
}

/**
 * OpenAI's strict mode takes an object at the root, objects whose properties are all required and that allow no others,
 * and no composition besides `anyOf` and `$ref`.
 */
export function fitsStrictMode(schema: unknown): boolean {
  return isPlainObject(schema) && schema.type === "object" && fits(schema);
}

const STRICT_KEYWORDS = new Set([
  ...["type", "title", "description", "enum", "const", "properties", "required", "additionalProperties"],
  ...["items", "anyOf", "$ref", "$defs", "definitions", "$schema", "pattern", "format"],
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"],
]);

function fits(schema: unknown): boolean {
  if (!isPlainObject(schema)) return false;
  if (Object.keys(schema).some((key) => !STRICT_KEYWORDS.has(key))) return false;
  const { properties, required = [], additionalProperties, items, anyOf = [] } = schema;
  const members = isPlainObject(properties) ? properties : {};
  const isObject = [schema.type].flat().includes("object");
  if (isObject && additionalProperties !== false) return false;
  if (isObject && !Object.keys(members).every((name) => (required as unknown[]).includes(name))) return false;
  const parts = [
    ...Object.values(members),
    ...[schema.$defs, schema.definitions].filter(isPlainObject).flatMap(Object.values),
    ...(Array.isArray(anyOf) ? anyOf : []),
    ...(items === undefined ? [] : [items]),
  ];
  return parts.every(fits);
}
