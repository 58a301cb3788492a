/** `docs/reference/cli.md` from the command declarations. */
import type { CommandDecl, OptionDecl } from "../../src/cli/command.ts";
import { EXIT_CODE_DOCS } from "../../src/cli/exit-codes.ts";
import { GLOBAL_OPTIONS } from "../../src/cli/globals.ts";
import { argWord, optionRow, usageLine } from "../../src/cli/help.ts";
import { commands } from "../../src/cli/registry.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function optionTable(options: readonly OptionDecl[]): string[] {
  const rows = options.filter((o) => !o.hidden).map(optionRow);
  if (rows.length === 0) return [];
  return [
    "",
    "| option | meaning |",
    "| --- | --- |",
    ...rows.map(([left, right]) => `| \`${cell(left.trim())}\` | ${cell(right)} |`),
  ];
}

function section(path: string[], command: CommandDecl): string[] {
  const level = "#".repeat(Math.min(path.length + 1, 4));
  const lines = [
    "",
    `${level} llmspell ${path.join(" ")}`,
    "",
    `${command.summary}.`,
    "",
    "```text",
    usageLine(path, command),
    "```",
  ];
  if (command.details !== undefined) lines.push("", command.details);
  if (command.args !== undefined && command.args.length > 0) {
    lines.push(
      "",
      "| argument | meaning |",
      "| --- | --- |",
      ...command.args.map((a) => `| \`${cell(argWord(a))}\` | ${cell(a.doc)} |`),
    );
  }
  lines.push(...optionTable(command.options));
  for (const sub of command.subcommands ?? [])
    if (!sub.hidden) lines.push(...section([...path, sub.name], sub));
  return lines;
}

const OUTPUT = `
## Output

Results go to stdout; log lines, questions, progress and error messages go to stderr. \`--output\` says how results look:

| mode | what stdout gets |
| --- | --- |
| \`text\` | Lines for people; an object without a layout of its own is one line of JSON |
| \`pretty\` | The same with headings and bullets, objects indented |
| \`json\` | Exactly one JSON document, whatever happens |

With \`json\`, what a script printed is in \`console\` and the value it returned in \`output\`. A failure is
\`{"status": "error", "error": MESSAGE, "code": KIND}\`, with \`hint\`, \`data\`, \`traceback\` and \`console\` where there
are any. \`tool invoke\` and \`providers test\` print their whole reply also when the tool or provider failed; the exit
code tells.`;

export async function cliPage(): Promise<string> {
  const lines = [
    "# Command line",
    "",
    "Generated from the program; `llmspell COMMAND --help` prints the same.",
    "",
    "## Global options",
    ...optionTable(GLOBAL_OPTIONS),
    OUTPUT,
  ];
  lines.push(
    "",
    "## Exit codes",
    "",
    "| code | when |",
    "| --- | --- |",
    ...EXIT_CODE_DOCS.map(([code, when]) => `| ${code} | ${cell(when)} |`),
  );
  for (const entry of commands) if (!entry.hidden) lines.push(...section([entry.name], await entry.load()));
  return `${lines.join("\n")}\n`;
}
