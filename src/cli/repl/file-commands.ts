/** Dot-commands that have to do with files. Their paths stand below the directory of `.cd`. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { homeDirectory } from "../../core/paths.ts";
import { type DotCommand, required } from "./dot-command.ts";
import type { ReplSession } from "./session.ts";
import { loadSession, saveSession } from "./session-file.ts";
import { splitWords } from "./words.ts";

export const FILE_COMMANDS: readonly DotCommand[] = [
  {
    name: "run",
    aliases: [],
    usage: "FILE [ARGS]",
    doc: "Run a script here; its globals stay",
    path: true,
    async run(session, argument, lines) {
      const [file, ...words] = splitWords(required(argument, "run", "FILE [ARGS]"));
      const path = scriptPath(session, file!);
      const code = attempt("Cannot read script", file!, () => new Uint8Array(readFileSync(path)));
      await session.run({ code, name: basename(path), path, words }, lines);
    },
  },
  {
    name: "save",
    aliases: [],
    usage: "FILE",
    doc: "Save variables, history and directory",
    path: true,
    async run(session, argument) {
      const file = required(argument, "save", "FILE");
      const { variables, leftOut } = await saveSession(session, resolvePath(session, file), file);
      session.say(`Session saved to ${file}: ${variables} variables, ${session.history.length} inputs`);
      if (leftOut.length > 0) session.say(`Left out, JSON cannot say them: ${leftOut.join(", ")}`);
    },
  },
  {
    name: "load",
    aliases: [],
    usage: "FILE",
    doc: "Take up a saved session",
    path: true,
    async run(session, argument) {
      const file = required(argument, "load", "FILE");
      const count = await loadSession(session, resolvePath(session, file), file);
      session.say(`Session loaded from ${file}: ${count} variables, ${session.history.length} inputs`);
    },
  },
  {
    name: "cd",
    aliases: [],
    usage: "[DIR]",
    doc: "Change where file commands look",
    path: true,
    run(session, argument) {
      const path = argument === "" ? homeDirectory(session.io.env) : resolvePath(session, argument);
      if (!attempt("Cannot change to directory", argument, () => statSync(path)).isDirectory())
        throw new SpellError("io", `Cannot change to directory '${argument}': it is none`);
      session.directory = path;
      session.say(path);
    },
  },
  {
    name: "pwd",
    aliases: [],
    usage: "",
    doc: "Show where file commands look",
    run(session) {
      session.say(session.directory);
    },
  },
  {
    name: "ls",
    aliases: [],
    usage: "[DIR]",
    doc: "List files",
    path: true,
    run(session, argument) {
      const names = attempt("Cannot list", argument || ".", () =>
        entries(resolvePath(session, argument || ".")),
      );
      if (names.length > 0) session.say(names.join("\n"));
    },
  },
];

/** Names in a directory, sorted; directories end with a slash. */
export function entries(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort();
}

/** Below the directory of `.cd`; `~` is the home directory. */
export function resolvePath({ directory, io }: ReplSession, path: string): string {
  return resolve(
    directory,
    path.replace(/^~(?=\/|$)/, () => homeDirectory(io.env)),
  );
}

function scriptPath(session: ReplSession, file: string): string {
  const path = resolvePath(session, file);
  return existsSync(path) || path.endsWith(".lua") ? path : `${path}.lua`;
}

/** @param action what is tried: `Cannot list` */
function attempt<T>(action: string, shown: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ioError(action, shown, error);
  }
}
