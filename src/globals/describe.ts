/** Functions and parameters of the globals in words, from their declarations: for the reference pages and for prompts. */
import type { FunctionDecl, Param } from "./declare.ts";

interface SchemaFacts {
  type?: string;
  "x-script"?: string;
  anyOf?: SchemaFacts[];
  enum?: unknown[];
  const?: unknown;
  items?: SchemaFacts;
  properties?: Record<string, SchemaFacts & { description?: string; default?: unknown }>;
  required?: string[];
  default?: unknown;
}

function typeName(schema: SchemaFacts): string {
  if (schema["x-script"] === "function") return "function";
  if (schema["x-script"] === "bytes") return "string";
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((e) => JSON.stringify(e)).join(" or ");
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeName))].join(" or ");
  if (schema.type === "array")
    return `array of ${schema.items === undefined ? "values" : typeName(schema.items)}`;
  if (schema.type === "object") return "table";
  return schema.type ?? "any value";
}

/** `Tool.execute(name, params?) → …`, where `owner` is `Tool.`. */
export function signature(owner: string, name: string, fn: FunctionDecl): string {
  const params = fn.params.map((p) => (p.rest ? `${p.name}…` : p.optional ? `${p.name}?` : p.name));
  return `${owner}${name}(${params.join(", ")}) → ${fn.returns}`;
}

function paramLines(param: Param): string[] {
  const schema = param.schema as SchemaFacts;
  const fallback = schema.default === undefined ? "" : `, default \`${JSON.stringify(schema.default)}\``;
  const lines = [
    `- \`${param.name}\` (${typeName(schema)}${param.optional ? ", optional" : ""}${fallback}): ${param.doc}`,
  ];
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    const required = schema.required?.includes(key) ? ", required" : "";
    const def = field.default === undefined ? "" : `, default \`${JSON.stringify(field.default)}\``;
    lines.push(
      `  - \`${key}\` (${typeName(field)}${required}${def})${field.description === undefined ? "" : `: ${field.description}`}`,
    );
  }
  return lines;
}

/** Signature, text, parameters and aliases in Markdown, without a heading. */
export function functionLines(owner: string, name: string, fn: FunctionDecl): string[] {
  const lines = ["```text", signature(owner, name, fn), "```", "", fn.doc];
  if (fn.params.length > 0) lines.push("", ...fn.params.flatMap(paramLines));
  if (fn.aliases !== undefined && fn.aliases.length > 0)
    lines.push("", `Also known as ${fn.aliases.map((a) => `\`${a}\``).join(", ")}.`);
  return lines;
}
