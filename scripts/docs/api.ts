/** `docs/api/<global>.md` from the declarations of the script globals. */
import type { ClassDecl, FunctionDecl, GlobalDecl, Param } from "../../src/globals/declare.ts";

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

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

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

function signature(owner: string, name: string, fn: FunctionDecl): string {
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

function functionLines(owner: string, name: string, fn: FunctionDecl): string[] {
  const lines = ["", `### ${name}`, "", "```text", signature(owner, name, fn), "```", "", fn.doc];
  if (fn.params.length > 0) lines.push("", ...fn.params.flatMap(paramLines));
  if (fn.aliases !== undefined && fn.aliases.length > 0)
    lines.push("", `Also known as ${fn.aliases.map((a) => `\`${a}\``).join(", ")}.`);
  return lines;
}

function classLines(cls: ClassDecl): string[] {
  const variable = cls.name.charAt(0).toLowerCase() + cls.name.slice(1);
  return [
    "",
    `## Class ${cls.name}`,
    "",
    cls.doc,
    ...Object.entries(cls.methods).flatMap(([name, fn]) => functionLines(`${variable}:`, name, fn)),
  ];
}

export function globalPage(declared: GlobalDecl): string {
  const visible = Object.entries(declared.functions).filter(([, fn]) => !fn.internal);
  const global = { ...declared, functions: Object.fromEntries(visible) };
  const lines = [`# ${global.name}`, "", global.doc, "", "## Functions"];
  if (Object.keys(global.functions).length > 0) {
    lines.push("", "| function | what it does |", "| --- | --- |");
    for (const [name, fn] of Object.entries(global.functions))
      lines.push(`| \`${cell(`${global.name}.${name}`)}\` | ${cell(fn.doc.split(/\.(\s|$)/)[0]!)} |`);
  }
  for (const [name, fn] of Object.entries(global.functions))
    lines.push(...functionLines(`${global.name}.`, name, fn));
  for (const cls of global.classes ?? []) lines.push(...classLines(cls));
  return `${lines.join("\n")}\n`;
}

/** Path below `docs/` and text of every page. */
export async function apiPages(): Promise<Map<string, string>> {
  const { globals } = await import("../../src/globals/index.ts");
  const pages = new Map<string, string>();
  const index = [
    "# Script API",
    "",
    "The globals a script finds, generated from their declarations.",
    "",
    "| global | what it is |",
    "| --- | --- |",
  ];
  for (const global of globals) {
    const file = `${global.name.toLowerCase()}.md`;
    pages.set(`docs/api/${file}`, globalPage(global));
    index.push(`| [${global.name}](${file}) | ${cell(global.doc.split(/\.(\s|$)/)[0]!)} |`);
  }
  pages.set("docs/api/README.md", `${index.join("\n")}\n`);
  return pages;
}
