/** From words to a command and its values. cac does the parsing; this adds nested commands, checks and nearest names. */
import { type CAC, cac } from "cac";
import type { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { ArgDecl, ArgValues, CommandDecl, OptionDecl, OptionValues } from "./command.ts";
import { GLOBAL_OPTIONS } from "./globals.ts";
import { usageLine } from "./help.ts";
import { commands, findCommand } from "./registry.ts";
import { usageError } from "./usage.ts";

export interface Invocation {
  /** `model import`; empty for no command. */
  path: string[];
  command: CommandDecl | undefined;
  args: ArgValues;
  options: OptionValues;
  /** Global options, defaults and environment applied; absent ones undefined. */
  globals: OptionValues;
  scriptArgs: string[];
  help: boolean;
  version: boolean;
}

type Env = Record<string, string | undefined>;

/** Put before every value so that cac neither turns it into a number nor takes it for a flag. */
const GUARD = "\u0000";

/** @throws SpellError usage */
export async function parse(argv: readonly string[], env: Env): Promise<Invocation> {
  const dashes = argv.indexOf("--");
  const words = dashes === -1 ? [...argv] : argv.slice(0, dashes);
  const rest = dashes === -1 ? [] : argv.slice(dashes + 1);

  const { path, command, leading, others } = await findPath(words);
  const declared = [...(command?.options ?? [])];
  const hasOwn = declared.some(({ flag }) => GLOBAL_OPTIONS.some((global) => global.flag === flag));
  const before = hasOwn ? givenGlobals(leading) : {};
  const shadowed = new Set(declared.flatMap((o) => (o.short === undefined ? [] : [o.short])));
  const globals = GLOBAL_OPTIONS.map((o) =>
    o.short !== undefined && shadowed.has(o.short) ? withoutShort(o) : o,
  );
  const flags = declared.concat(globals.filter((g) => !declared.some((d) => d.flag === g.flag)));

  const guarded = guardWords(hasOwn ? others : [...leading, ...others], flags, path);
  if (rest.length > 0 && command?.scriptArgs !== true) guarded.push(...rest.map((word) => GUARD + word));
  const parsed = runCac(path, command, flags, guarded);
  const values = readOptions(path, flags, parsed.options, env);
  const help = values.help === true || before.help === true;
  const version = values.version === true && command === undefined;
  if (command?.run === undefined && !help && !version) throw missingCommand(path, command);
  return {
    path,
    command,
    args: command?.run === undefined || help ? {} : readArgs(path, command, parsed.args),
    options: values,
    globals: { ...withoutFlagsOf(declared, values), ...before },
    scriptArgs: command?.scriptArgs === true ? rest : [],
    help,
    version,
  };
}

/** In front of a command that has an `--output` of its own, the global one is meant. */
function givenGlobals(leading: readonly string[]): OptionValues {
  const guarded = guardWords(leading, GLOBAL_OPTIONS, []);
  const values = readOptions([], GLOBAL_OPTIONS, runCac([], undefined, GLOBAL_OPTIONS, guarded).options, {});
  const isGiven = (name: string) =>
    guarded.some((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  return Object.fromEntries(Object.entries(values).filter(([name]) => isGiven(name)));
}

/** A command's own `--output` is not the global one. */
function withoutFlagsOf(declared: readonly OptionDecl[], values: OptionValues): OptionValues {
  const own = new Set(declared.map((o) => o.flag.slice(2)));
  return Object.fromEntries(Object.entries(values).filter(([name]) => !own.has(name)));
}

function withoutShort(option: OptionDecl): OptionDecl {
  const { short: _, ...copy } = option;
  return copy;
}

/** Follows command words through the tree; everything else stays, in order: before the first of them, and after. */
async function findPath(
  words: readonly string[],
): Promise<{ path: string[]; command: CommandDecl | undefined; leading: string[]; others: string[] }> {
  const path: string[] = [];
  const leading: string[] = [];
  let others = leading;
  let command: CommandDecl | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const open = command === undefined || command.subcommands !== undefined;
    if (!open || word.startsWith("-")) {
      others.push(word);
      const below = command?.subcommands?.flatMap((s) => s.options) ?? [];
      const takesValue = [...GLOBAL_OPTIONS, ...below].some(
        (o) => o.value !== undefined && (o.flag === word || o.short === word),
      );
      if (open && takesValue && i + 1 < words.length) others.push(words[++i]!);
      continue;
    }
    const next =
      command === undefined
        ? await findCommand(word)?.load()
        : command.subcommands?.find((s) => s.name === word || s.aliases?.includes(word));
    if (next === undefined && word === "help") {
      others.push("--help");
      continue;
    }
    if (next === undefined) {
      // A flag that does not exist explains a value that was taken for a command.
      guardWords(others, GLOBAL_OPTIONS, path);
      const names = commandNames(command);
      throw usageError(
        `Unknown ${placeOf(path)}: ${word}`,
        didYouMean(word, names) ?? `Known: ${names.join(", ")}`,
      );
    }
    if (path.length === 0) others = [];
    command = next;
    path.push(next.name);
  }
  return { path, command, leading, others: others === leading ? [] : others };
}

function commandLine(path: readonly string[]): string {
  return ["llmspell", ...path].join(" ");
}

function seeHelp(path: readonly string[]): string {
  return `Run \`${commandLine(path)} --help\` for its arguments and options`;
}

function placeOf(path: readonly string[]): string {
  return path.length === 0 ? "command" : `command of \`${commandLine(path)}\``;
}

function commandNames(command: CommandDecl | undefined): string[] {
  const below = command === undefined ? commands : (command.subcommands ?? []);
  return below.filter((c) => !c.hidden).map((c) => c.name);
}

function missingCommand(path: readonly string[], command: CommandDecl | undefined): SpellError {
  return usageError(
    `Missing ${placeOf(path)}`,
    `Give one of ${commandNames(command).join(", ")}; \`${commandLine(path)} --help\` describes them`,
  );
}

/** Joins flags and their values and guards every value; refuses unknown flags. */
function guardWords(
  given: readonly string[],
  flags: readonly OptionDecl[],
  path: readonly string[],
): string[] {
  const guarded: string[] = [];
  /** At the end: cac takes the word after a switch with a hyphen in its name for the switch's value. */
  const switches: string[] = [];
  const words = [...given];
  for (let i = 0; i < words.length; i++) {
    words.splice(i, 1, ...splitJoined(words[i]!, flags));
    const word = words[i]!;
    if (
      !word.startsWith("-") ||
      word === "-" ||
      /^-[\d.]/.test(word) ||
      /^\S*\s/.test(word.replace(/=.*$/s, ""))
    ) {
      guarded.push(GUARD + word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    const option = flags.find((o) => o.flag === name || o.short === name);
    if (option === undefined) {
      const near = didYouMean(
        name,
        flags.map((o) => o.flag),
      );
      throw usageError(`Unknown option of \`${commandLine(path)}\`: ${name}`, near ?? seeHelp(path));
    }
    if (option.value === undefined) {
      if (equals !== -1)
        throw usageError(`Option ${option.flag} takes no value: ${word.slice(equals + 1)}`, seeHelp(path));
      switches.push(option.flag);
      continue;
    }
    const value = equals === -1 ? words[++i] : word.slice(equals + 1);
    if (value === undefined)
      throw usageError(`Option ${option.flag} needs a value: ${option.value}`, seeHelp(path));
    guarded.push(`${option.flag}=${GUARD}${value}`);
  }
  return [...guarded, ...switches];
}

/** `-cFILE` as `--config=FILE`, `-vf` as two switches; anything else as it stands. */
function splitJoined(word: string, flags: readonly OptionDecl[]): string[] {
  const rest = word.slice(2);
  const option =
    rest === "" || rest.startsWith("=") ? undefined : flags.find((o) => o.short === word.slice(0, 2));
  if (option === undefined) return [word];
  if (option.value !== undefined) return [`${option.flag}=${rest}`];
  const others = splitJoined(`-${rest}`, flags);
  const areAllKnown = others.every((other) => other.startsWith("--") || flags.some((o) => o.short === other));
  return areAllKnown ? [option.flag, ...others] : [word];
}

function runCac(
  path: readonly string[],
  command: CommandDecl | undefined,
  flags: readonly OptionDecl[],
  words: string[],
) {
  const cli: CAC = cac(["llmspell", ...path].join(" "));
  const leaf = cli.command("[...words]", command?.summary ?? "");
  for (const option of flags)
    leaf.option(option.value === undefined ? option.flag : `${option.flag} <value>`, option.doc);
  return cli.parse(["", "", ...words], { run: false });
}

function readOptions(
  path: readonly string[],
  flags: readonly OptionDecl[],
  parsed: Record<string, unknown>,
  env: Env,
): OptionValues {
  const values: OptionValues = {};
  for (const option of flags) {
    const name = option.flag.slice(2);
    if (option.value === undefined && name.startsWith("no-")) {
      // cac takes it for the denial of the rest of its name
      values[name] = parsed[camelCase(name.slice("no-".length))] === false;
      continue;
    }
    const raw = parsed[camelCase(name)];
    const given = (Array.isArray(raw) ? raw : raw === undefined ? [] : [raw]).map((v) =>
      typeof v === "string" ? v.replace(GUARD, "") : v,
    );
    const fromEnv = option.env === undefined ? undefined : env[option.env];
    if (option.value === undefined) {
      values[name] = given.length > 0 ? given.at(-1) === true : option.default === true;
      continue;
    }
    if (given.length === 0 && fromEnv) given.push(fromEnv);
    for (const value of given) checkChoice(path, option.flag, option.choices, String(value));
    if (option.repeat) values[name] = given.map(String);
    else if (given.length > 0) values[name] = String(given.at(-1));
    else if (option.default !== undefined) values[name] = option.default;
  }
  return values;
}

const camelCase = (name: string): string =>
  name.replaceAll(/([a-z])-([a-z])/g, (_, a: string, b: string) => a + b.toUpperCase());

function readArgs(path: readonly string[], command: CommandDecl, words: readonly string[]): ArgValues {
  const given = words.map((w) => w.replace(GUARD, ""));
  const values: ArgValues = {};
  for (const arg of command.args ?? []) {
    if (!arg.optional && given.length === 0) throw missing(path, command, arg);
    if (arg.rest) {
      values[arg.name] = given.splice(0);
      continue;
    }
    const value = given.shift();
    if (value !== undefined) checkChoice(path, arg.name.toUpperCase(), arg.choices, value);
    values[arg.name] = value;
  }
  if (given.length > 0) {
    throw usageError(`Too many arguments for \`${commandLine(path)}\`: ${given[0]}`, seeHelp(path));
  }
  return values;
}

function missing(path: readonly string[], command: CommandDecl, arg: ArgDecl): SpellError {
  return usageError(
    `Missing argument of \`${commandLine(path)}\`: ${arg.name.toUpperCase()}`,
    `Usage: ${usageLine(path, command)}`,
  );
}

function checkChoice(
  path: readonly string[],
  name: string,
  choices: readonly string[] | undefined,
  value: string,
): void {
  if (choices === undefined || choices.includes(value)) return;
  throw usageError(
    `Cannot use ${name}: it must be one of ${choices.join(", ")}: ${value}`,
    didYouMean(value, choices) ?? seeHelp(path),
  );
}
