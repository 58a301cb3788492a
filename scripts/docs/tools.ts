/** `docs/reference/tools.md` from the tools' definitions. */
import { limitsOf } from "../../src/security/limits.ts";
import { choicesOf, type ParameterSchema } from "../../src/tools/parameters.ts";
import { builtinTools } from "../../src/tools/registry.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const code = (text: string) => `\`${text}\``;

export async function toolsPage(): Promise<string> {
  const tools = [...builtinTools].sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    "# Tools",
    "",
    'Generated from the program. Call a tool with `Tool.execute("NAME", {…})`, `llmspell tool invoke NAME --params JSON`, or let an',
    "agent call it. Names may be written with `_` in place of `-`.",
    "",
    "| tool | what it does | category | level |",
    "| --- | --- | --- | --- |",
    ...tools.map(
      (tool) =>
        `| [${tool.name}](#${tool.name}) | ${cell(firstSentence(tool.description))} | ${tool.category} | ${tool.level} |`,
    ),
    "",
    "## Results",
    "",
    "Every result has `success`, `operation`, `text` and `metadata` (with `execution_time_ms` and the whole answer as `response`);",
    "where they apply also `result`, `output` (the main value of `result`), `message` and `error`. `error` has `message`, `code` and",
    "`details`, and works as text. A wrong parameter, an unknown tool and refused access raise an error.",
    "",
    "## Levels",
    "",
    'A tool runs when its level is granted: by `tools.permissions."NAME"`, else by `tools.security.default_level`, else every level is.',
    "What it may touch is a second question: files lie below `tools.file_operations.allowed_paths`, links resolved; environment",
    "variables are on the allow list and no secrets.",
    "",
    "| level | memory of one call | capability calls | files open at once |",
    "| --- | --- | --- | --- |",
    ...(["safe", "restricted", "privileged"] as const).map((level) => {
      const limits = limitsOf(level);
      return `| ${level} | ${bytes(limits.memoryBytes)} | ${amount(limits.operations)} | ${amount(limits.openFiles)} |`;
    }),
    ...tools.flatMap(section),
    "",
  ].join("\n");
}

function section(tool: ToolDefinition): string[] {
  const aliases = tool.aliases.filter((alias) => alias.replaceAll("_", "-") !== tool.name);
  return [
    "",
    `## ${tool.name}`,
    "",
    tool.description,
    "",
    `Category ${tool.category}, level ${tool.level}.${aliases.length === 0 ? "" : ` Also called ${aliases.map(code).join(", ")}.`}`,
    "",
    "| parameter | type | required | default | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...parameterRows(tool),
    ...otherSpellings(tool),
    "",
    "Result:",
    "",
    tool.resultDoc,
    ...tool.examples.flatMap((example) => [
      "",
      `${example.title}:`,
      "",
      "```lua",
      `Tool.execute("${tool.name}", ${lua(example.params)})${example.result === undefined ? "" : ` -- result: ${lua(example.result)}`}`,
      "```",
    ]),
  ];
}

function parameterRows(tool: ToolDefinition): string[] {
  const { properties = {}, required = [] } = tool.parameters as ParameterSchema;
  return Object.entries(properties).map(([name, schema]) => {
    const choices = choicesOf(schema);
    const type =
      choices === undefined ? typeOf(schema) : choices.map((word) => code(String(word))).join(", ");
    const byDefault = schema.default === undefined ? "" : code(lua(schema.default));
    return `| ${[code(name), type, required.includes(name) ? "yes" : "", byDefault, schema.description ?? ""].map(cell).join(" | ")} |`;
  });
}

function typeOf(schema: ParameterSchema): string {
  if (schema.type !== undefined) return [schema.type].flat().join(" or ");
  return schema.anyOf === undefined ? "any" : [...new Set(schema.anyOf.map(typeOf))].join(" or ");
}

function otherSpellings(tool: ToolDefinition): string[] {
  const names = Object.entries(tool.accepts?.names ?? {}).map(
    ([spelling, name]) => `${code(spelling)} for ${code(name)}`,
  );
  const values = Object.values(tool.accepts?.values ?? {}).flatMap((spellings) =>
    Object.entries(spellings).map(([spelling, value]) => `${code(spelling)} for ${code(value)}`),
  );
  const all = [...names, ...values];
  return all.length === 0 ? [] : ["", `Also accepted: ${all.join(", ")}.`];
}

/** A value as Lua source. */
function lua(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(lua).join(", ")}}`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([key, item]) => `${luaKey(key)} = ${lua(item)}`);
    return `{${fields.join(", ")}}`;
  }
  return value === null ? "nil" : JSON.stringify(value);
}

const luaKey = (key: string) => (/^[A-Za-z_]\w*$/.test(key) ? key : `[${JSON.stringify(key)}]`);
const firstSentence = (text: string) => text.split(". ")[0]!.replace(/\.$/, "");
const amount = (n: number) => (Number.isFinite(n) ? String(n) : "no limit");
const bytes = (n: number) => (Number.isFinite(n) ? `${n / 1_000_000} MB` : "no limit");
