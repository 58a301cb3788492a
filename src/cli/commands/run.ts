import { basename, resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import type { CommandDecl } from "../command.ts";
import { scriptArguments } from "../script-args.ts";
import { checkEngine, EXECUTE_OPTIONS, execute, executedDocument, exitCodeOfReply } from "./execute.ts";

export const command: CommandDecl = {
  name: "run",
  summary: "Run a script",
  details:
    "The script's output goes to stdout as it comes. Words after `--` reach the script as ARGS and arg.",
  options: EXECUTE_OPTIONS,
  args: [{ name: "script", doc: "Path of the script file" }],
  scriptArgs: true,
  async run(io, args, options) {
    const language = checkEngine(options);
    const script = args.script as string;
    const bytes = await readScript(script);
    const named = scriptArguments(basename(script), io.scriptArgs);
    const stream = options.stream === true;
    const done = await execute(
      io,
      {
        type: "execute",
        code: bytes,
        name: script,
        path: resolve(io.cwd, script),
        args: named,
        language,
        stream,
      },
      options,
    );
    if (io.mode === "json") {
      const count = 1 + named.positional.length + Object.keys(named.named).length;
      io.json(executedDocument({ script_length: bytes.length, args_count: count, streaming: stream }, done));
    }
    return exitCodeOfReply(done.reply);
  },
};

/** @throws SpellError not_found, io */
export async function readScript(path: string): Promise<Uint8Array> {
  try {
    return await Bun.file(path).bytes();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") {
      throw new SpellError("not_found", `Script file not found: ${path}`, {
        hint: "Check the path; `llmspell exec CODE` runs code from the command line",
      });
    }
    throw ioError("Cannot read script", path, error, "Name a file with a script");
  }
}
