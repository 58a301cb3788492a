/** The commands of the prompt itself (spec/kernel.md section 8.2). */
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { shortVersion } from "../../core/version.ts";
import { usageError } from "../usage.ts";
import { type DotCommand, required } from "./dot-command.ts";
import { FILE_COMMANDS } from "./file-commands.ts";
import type { LineSource } from "./lines.ts";
import type { ReplSession } from "./session.ts";
import { checkedName, listVariables, setVariable, unsetVariable } from "./variables.ts";

export const DOT_COMMANDS: readonly DotCommand[] = [
  {
    name: "help",
    aliases: ["h", "?"],
    usage: "",
    doc: "Show this list",
    run: (session) => session.say(helpText()),
  },
  {
    name: "exit",
    aliases: ["quit", "q"],
    usage: "",
    doc: "Leave",
    run(session) {
      session.exitCode = session.endCode();
    },
  },
  {
    name: "clear",
    aliases: ["cls"],
    usage: "",
    doc: "Clear the screen",
    run(session) {
      if (session.interactive) session.io.write("\u001b[H\u001b[2J\u001b[3J");
    },
  },
  {
    name: "history",
    aliases: ["hist"],
    usage: "",
    doc: "Show the inputs",
    run(session) {
      for (const [i, input] of session.history.entries())
        session.say(`${String(i + 1).padStart(5)}  ${input.replaceAll("\n", `\n${" ".repeat(7)}`)}`);
    },
  },
  {
    name: "clear-history",
    aliases: [],
    usage: "",
    doc: "Forget the inputs, those of earlier sessions too",
    run: (session) => session.forget(),
  },
  {
    name: "variables",
    aliases: ["vars"],
    usage: "",
    doc: "Show the global variables that were set",
    async run(session) {
      const variables = await listVariables(session);
      if (variables.length === 0) session.say("No variables");
      for (const { name, type, shown } of variables) session.say(`${name} (${type}) = ${shown}`);
    },
  },
  {
    name: "set",
    aliases: [],
    usage: "NAME VALUE",
    doc: "Set a global variable; a value that is no JSON is text",
    async run(session, argument) {
      const [, name = "", value = ""] = /^(\S+)(?:\s+(.*))?$/s.exec(required(argument, "set", "NAME VALUE"))!;
      await setVariable(session, checkedName(name), asJson(value));
    },
  },
  {
    name: "unset",
    aliases: [],
    usage: "NAME",
    doc: "Remove a global variable",
    run: (session, argument) => unsetVariable(session, checkedName(required(argument, "unset", "NAME"))),
  },
  ...FILE_COMMANDS,
  {
    name: "info",
    aliases: [],
    usage: "",
    doc: "Show facts about this session",
    run: (session) => session.say(infoText(session)),
  },
  {
    name: "reset",
    aliases: [],
    usage: "",
    doc: "Start with a fresh interpreter",
    async run(session) {
      await session.ask({ type: "reset" });
      session.say("The interpreter is fresh: all variables are gone");
    },
  },
  {
    name: "perf",
    aliases: [],
    usage: "[on|off]",
    doc: "Show how long inputs take and how the heap changes",
    run(session, argument) {
      if (argument !== "" && argument !== "on" && argument !== "off")
        throw usageError(`Cannot switch the display: give on or off: ${argument}`, "`.perf on`");
      session.showsPerformance = argument === "" ? !session.showsPerformance : argument === "on";
      session.say(`Performance display is ${session.showsPerformance ? "on" : "off"}`);
    },
  },
];

/** A line that is for the prompt, not for the interpreter. */
export function isDotCommand(line: string): boolean {
  return /^\.(?:[A-Za-z?])/.test(line) || DEBUG_COMMAND.test(line);
}

/** Those of spec/kernel.md section 8.3: whole words, since `db:print(x)` and `::label::` are Lua. */
const DEBUG_COMMAND =
  /^(?:debug|db)?:(?:break|b|delete|d|list|l|enable|disable|step|s|next|n|finish|f|continue|c|pause|locals|backtrace|bt|where|w|frame|print|p|watch|unwatch)(?:\s|$)/;

/** @throws SpellError of the command, usage where there is none */
export async function runDotCommand(session: ReplSession, line: string, lines: LineSource): Promise<void> {
  if (DEBUG_COMMAND.test(line)) {
    throw new SpellError("usage", "Debug commands are not available yet: they need the debugger", {
      hint: "`print` and the global `Debug` show what a script does",
    });
  }
  const [, word, argument] = /^\.(\S+)\s*(.*)$/s.exec(line.trimEnd())!;
  const command = DOT_COMMANDS.find(({ name, aliases }) => name === word || aliases.includes(word!));
  if (command === undefined) {
    const near = didYouMean(
      word!,
      DOT_COMMANDS.map(({ name }) => name),
    );
    throw usageError(`Unknown command: .${word}`, near ?? "`.help` lists the commands");
  }
  await command.run(session, argument!, lines);
}

function helpText(): string {
  const heads = DOT_COMMANDS.map(
    ({ name, aliases, usage }) =>
      `${[name, ...aliases].map((word) => `.${word}`).join(" ")}${usage === "" ? "" : ` ${usage}`}`,
  );
  const width = Math.max(...heads.map((head) => head.length));
  return [
    ...heads.map((head, i) => `${head.padEnd(width)}  ${DOT_COMMANDS[i]!.doc}`),
    "",
    "Everything else is run as Lua; the value of an expression is shown. Ctrl-C gives up an input",
    "or stops what runs, Ctrl-D leaves.",
  ].join("\n");
}

function infoText(session: ReplSession): string {
  const { options, directory, executions, failures, executionMs, history, startedMs } = session;
  const seconds = Math.round((Date.now() - startedMs) / 1000);
  return [
    `Version:     ${shortVersion()}`,
    `Engine:      ${options.engine}`,
    `Mode:        ${options.kernel.mode}`,
    `Process:     ${process.pid}`,
    `Directory:   ${directory}`,
    `Running for: ${seconds} s`,
    `Executions:  ${executions} (${failures} failures, ${Math.round(executionMs)} ms)`,
    `History:     ${history.length} inputs`,
  ].join("\n");
}

function asJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    if (error instanceof SyntaxError) return JSON.stringify(text);
    throw error;
  }
}
