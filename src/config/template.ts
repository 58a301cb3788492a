/** The documented default configuration as a TOML file in which every key is a comment showing its default. */
import { ROOT, type SchemaNode } from "./node.ts";

const HEAD = `# Configuration of llmspell. Every key is shown with its default or, where it has none, with its kind;
# remove the "# " before a key to set it. \`llmspell config validate\` checks this file.
`;

const PROVIDER_EXAMPLE = `
# A provider of your own; \`provider_type\` says which client speaks to it.
# [providers.openai]
# provider_type = "openai"
# api_key_env = "OPENAI_API_KEY"
# default_model = "gpt-3.5-turbo"
`;

/**
 * Keys are comments because a key that is set means more than its default: an explicit
 * \`allow_file_access = false\` also switches the file tools off.
 */
export function defaultConfigText(): string {
  const lines = [HEAD, `default_engine = "${ROOT.properties!.default_engine!.default}"`];
  for (const [name, node] of Object.entries(ROOT.properties!)) {
    if (node.type === "object") addTable(node, [name], lines);
    if (name === "providers") lines.push(PROVIDER_EXAMPLE.trimEnd());
  }
  return `${lines.join("\n")}\n`;
}

function addTable(node: SchemaNode, keys: readonly string[], lines: string[]): void {
  const children = Object.entries(node.properties ?? {});
  const optional = node["x-unset"] ? "# " : "";
  lines.push("", `# ${node.description}`, `${optional}[${keys.join(".")}]`);
  for (const [key, child] of children) {
    if (child.type === "object" && Object.keys(child.properties ?? {}).length > 0) continue;
    lines.push(`# ${child.description}`, `# ${key} = ${sample(child)}`);
  }
  for (const [key, child] of children)
    if (child.type === "object" && Object.keys(child.properties ?? {}).length > 0)
      addTable(child, [...keys, key], lines);
}

function sample(node: SchemaNode): string {
  if (node.default !== undefined) return tomlValue(node.default);
  if (node.enum !== undefined) return node.enum.map((word) => JSON.stringify(word)).join(" | ");
  return node.type === "string" ? '"…"' : `… (${node.type})`;
}

/** A default as TOML: text, number, boolean, list of texts or table of texts. */
export function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return "{}";
  return `{ ${entries.map(([key, entry]) => `${key} = ${tomlValue(entry)}`).join(", ")} }`;
}
