import type { FieldFlags } from "./fields.ts";
import { type Config, ConfigSchema } from "./schema.ts";

/** A node of the configuration schema as this directory reads it: plain JSON Schema with our flags. */
export interface SchemaNode extends FieldFlags {
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  description?: string;
  default?: unknown;
  enum?: readonly string[];
  items?: SchemaNode;
  properties?: Record<string, SchemaNode>;
  required?: readonly string[];
  /** Schema of all keys that `properties` does not name. */
  additionalProperties?: SchemaNode;
}

export const ROOT = ConfigSchema as unknown as SchemaNode;

/** The schema of one key of a table: its own, or that of free keys. */
export function childNode(node: SchemaNode, key: string): SchemaNode | undefined {
  const properties = node.properties ?? {};
  return Object.hasOwn(properties, key) ? properties[key] : node.additionalProperties;
}

/** The schema at a path, where there is one. */
export function nodeAt(keys: readonly string[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = ROOT;
  for (const key of keys) node = node && childNode(node, key);
  return node;
}

/** The names of the sections, in the order of the reference page. */
export const SECTIONS = Object.keys(ROOT.properties!) as (keyof Config)[];
