/** Parameter lists as scripts see and write them, beside the JSON Schema that tools carry. */
import type { TObject } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isPlainObject, type ScriptValue } from "../../core/values.ts";
import type { ToolDefinition } from "../../tools/tool.ts";

const TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"];

type Property = { type?: unknown; description?: unknown; default?: unknown };

/** The schema of spec/lua-api.md section 2: `{name, description, parameters = {{name, type, description, required, default}}}`. */
export function describeSchema(tool: ToolDefinition): Record<string, ScriptValue> {
  const required: readonly string[] = tool.parameters.required ?? [];
  const parameters = Object.entries(tool.parameters.properties as Record<string, Property>).map(
    ([name, property]) => ({
      name,
      type: shownType(property.type),
      description: typeof property.description === "string" ? property.description : "",
      required: required.includes(name),
      ...(property.default === undefined ? {} : { default: property.default as ScriptValue }),
    }),
  );
  return { name: tool.name, description: tool.description, parameters };
}

function shownType(type: unknown): string {
  if (type === "integer") return "number";
  return typeof type === "string" ? type : "object";
}

/**
 * JSON Schema from what a script gives as `parameters`: JSON Schema (`{type = "object", properties = …}`), a list of
 * descriptors, or a table from names to types or descriptors. Without it any parameter is taken.
 * @throws SpellError invalid_argument
 */
export function readSchema(given: unknown): TObject {
  if (given === undefined || given === null) return finish({}, [], { additionalProperties: true });
  if (isPlainObject(given) && isPlainObject(given.properties)) {
    const { properties, required, ...rest } = given;
    return finish(properties, Array.isArray(required) ? required.map(String) : [], rest);
  }
  const properties: Record<string, unknown> = {};
  const required: string[] = [];
  for (const [name, descriptor] of descriptors(given)) {
    const { name: _, required: isRequired, ...schema } = descriptor;
    properties[name] = schema;
    if (isRequired === true) required.push(name);
  }
  return finish(properties, required, {});
}

function descriptors(given: unknown): [name: string, descriptor: Record<string, unknown>][] {
  if (Array.isArray(given)) {
    return given.map((item, i) => {
      if (isPlainObject(item) && typeof item.name === "string") return [item.name, item];
      throw refuse(`parameters[${i + 1}]`, "must be a table with a name");
    });
  }
  if (!isPlainObject(given)) throw refuse("parameters", "must be a table");
  return Object.entries(given).map(([name, item]) => {
    if (typeof item === "string") return [name, { type: item }];
    if (isPlainObject(item)) return [name, item];
    throw refuse(`parameters.${name}`, "must be a type or a table");
  });
}

/** A script's tables have no order: names are sorted, required ones first as models expect them. */
function finish(properties: Record<string, unknown>, required: string[], rest: object): TObject {
  const names = Object.keys(properties).sort();
  const rank = (name: string) => (required.includes(name) ? 0 : 1);
  names.sort((a, b) => rank(a) - rank(b));
  for (const name of required) {
    if (!names.includes(name)) throw refuse("parameters.required", `names no parameter: ${name}`);
  }
  const checked = Object.fromEntries(names.map((name) => [name, checkProperty(name, properties[name])]));
  return { ...rest, type: "object", properties: checked, required } as unknown as TObject;
}

function checkProperty(name: string, property: unknown): Record<string, unknown> {
  if (!isPlainObject(property)) throw refuse(`parameters.${name}`, "must be a table");
  const { type } = property;
  for (const word of Array.isArray(type) ? type : [type]) {
    if (word === undefined || TYPES.includes(word as string)) continue;
    const hint = typeof word === "string" ? didYouMean(word, TYPES) : undefined;
    throw refuse(`parameters.${name}.type`, `must be one of ${TYPES.join(", ")}: ${word}`, hint);
  }
  return property;
}

function refuse(where: string, rule: string, hint?: string): SpellError {
  return new SpellError("invalid_argument", `Cannot call Tool.register: "${where}" ${rule}`, {
    data: { argument: where },
    ...(hint === undefined ? {} : { hint }),
  });
}
