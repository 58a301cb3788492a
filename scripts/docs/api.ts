/** `docs/api/<global>.md` from the declarations of the script globals. */
import type { ClassDecl, FunctionDecl, GlobalDecl } from "../../src/globals/declare.ts";
import { functionLines } from "../../src/globals/describe.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function section(owner: string, name: string, fn: FunctionDecl): string[] {
  return ["", `### ${name}`, "", ...functionLines(owner, name, fn)];
}

function classLines(cls: ClassDecl): string[] {
  const variable = cls.name.charAt(0).toLowerCase() + cls.name.slice(1);
  return [
    "",
    `## Class ${cls.name}`,
    "",
    cls.doc,
    ...Object.entries(cls.methods).flatMap(([name, fn]) => section(`${variable}:`, name, fn)),
  ];
}

function globalPage(declared: GlobalDecl): string {
  const visible = Object.entries(declared.functions).filter(([, fn]) => !fn.internal);
  const global = { ...declared, functions: Object.fromEntries(visible) };
  const lines = [`# ${global.name}`, "", global.doc, "", "## Functions"];
  if (Object.keys(global.functions).length > 0) {
    lines.push("", "| function | what it does |", "| --- | --- |");
    for (const [name, fn] of Object.entries(global.functions))
      lines.push(`| \`${cell(`${global.name}.${name}`)}\` | ${cell(fn.doc.split(/\.(\s|$)/)[0]!)} |`);
  }
  for (const [name, fn] of Object.entries(global.functions))
    lines.push(...section(`${global.name}.`, name, fn));
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
