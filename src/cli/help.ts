/** Help texts and the lists the reference page and the completion scripts are made from. */
import type { ArgDecl, CommandDecl, OptionDecl } from "./command.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import { commands } from "./registry.ts";

export function programHelp(): string {
  const rows = commands.filter((c) => !c.hidden).map((c) => [c.name, c.summary] as const);
  return [
    "llmspell: scripted LLM work in one executable",
    "",
    "Usage: llmspell [OPTIONS] COMMAND [ARGS]",
    "",
    "Commands:",
    ...table(rows),
    "",
    "Options:",
    ...table(GLOBAL_OPTIONS.map(optionRow)),
    "",
    "Run `llmspell COMMAND --help` for a command's own options.",
  ].join("\n");
}

export function commandHelp(path: readonly string[], command: CommandDecl): string {
  const lines = [command.summary, "", `Usage: ${usageLine(path, command)}`];
  if (command.details !== undefined) lines.push("", command.details);
  if (command.args !== undefined && command.args.length > 0) {
    lines.push("", "Arguments:", ...table(command.args.map((a) => [argWord(a), a.doc] as const)));
  }
  if (command.subcommands !== undefined) {
    lines.push(
      "",
      "Commands:",
      ...table(command.subcommands.filter((s) => !s.hidden).map((s) => [s.name, s.summary] as const)),
    );
  }
  const own = command.options.filter((o) => !o.hidden);
  if (own.length > 0) lines.push("", "Options:", ...table(own.map(optionRow)));
  lines.push("", "Global options:", ...table(GLOBAL_OPTIONS.map(optionRow)));
  return lines.join("\n");
}

export function usageLine(path: readonly string[], command: CommandDecl): string {
  const words = ["llmspell", ...path];
  if (command.subcommands !== undefined) words.push("COMMAND");
  for (const arg of command.args ?? []) words.push(arg.optional ? `[${argWord(arg)}]` : argWord(arg));
  if (command.options.some((o) => !o.hidden)) words.push("[OPTIONS]");
  if (command.scriptArgs) words.push("[-- ARGS…]");
  return words.join(" ");
}

export function argWord(arg: ArgDecl): string {
  return arg.rest ? `${arg.name.toUpperCase()}…` : arg.name.toUpperCase();
}

export function optionRow(option: OptionDecl): readonly [string, string] {
  const flags = option.short === undefined ? `    ${option.flag}` : `${option.short}, ${option.flag}`;
  const notes: string[] = [];
  if (option.choices !== undefined) notes.push(option.choices.join(" | "));
  if (typeof option.default === "string") notes.push(`default ${option.default}`);
  if (option.env !== undefined) notes.push(`env ${option.env}`);
  if (option.repeat) notes.push("repeatable");
  return [
    option.value === undefined ? flags : `${flags} ${option.value}`,
    notes.length === 0 ? option.doc : `${option.doc} [${notes.join("; ")}]`,
  ];
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
