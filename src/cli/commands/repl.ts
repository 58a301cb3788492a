import { resolve } from "node:path";
import type { CommandDecl } from "../command.ts";
import { CONNECT_OPTIONS } from "../connect-options.ts";
import { runRepl } from "../repl/repl.ts";
import { checkEngine, ENGINE_OPTION } from "./execute.ts";

export const command: CommandDecl = {
  name: "repl",
  summary: "Type code at a prompt",
  details:
    "Variables stay from one input to the next, and the value of an expression is shown. `.help` lists the prompt's own\n" +
    "commands. In a pipe, each whole input is run in turn and nothing but results is printed on stdout; the exit code is that of the\n" +
    "first failure.",
  options: [
    ...CONNECT_OPTIONS,
    ENGINE_OPTION,
    {
      flag: "--history",
      value: "FILE",
      env: "LLMSPELL_REPL_HISTORY",
      doc: "Where inputs are remembered (default: llmspell_history of the user's cache directory)",
    },
  ],
  async run(io, _args, options) {
    const engine = checkEngine(options);
    const history = options.history as string | undefined;
    return runRepl(io, {
      engine,
      ...(history === undefined ? {} : { historyPath: resolve(io.cwd, history) }),
    });
  },
};
