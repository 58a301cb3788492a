/** From argv to an exit code: parse, make the command's surroundings, run it, show what went wrong. */
import { startScriptThread } from "../core/script-thread.ts";
import type { CommandIo, OutputMode } from "./command.ts";
import { targetOf } from "./connect-options.ts";
import { openKernelPorts } from "./early-ports.ts";
import { EXIT, exitCodeOfError } from "./exit-codes.ts";
import { errorDocument, formatError } from "./format-error.ts";
import { OutputClosed, writeAll } from "./output.ts";
import type { Invocation } from "./parse.ts";

export async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
    const { shortVersion, versionLine } = await import("../core/version.ts");
    writeAll(1, `${argv[0] === "-V" ? versionLine() : `llmspell ${shortVersion()}`}\n`);
    return EXIT.ok;
  }
  const word = argv.find((w) => !w.startsWith("-"));
  const isRemote = argv.some((w) => /^--(connect|kernel)(=|$)/.test(w));
  if ((word === "run" || word === "exec" || word === "repl") && !isRemote) startScriptThread();
  openKernelPorts(argv);
  let mode = guessMode(argv);
  try {
    const { parse } = await import("./parse.ts");
    const invocation = await parse(argv, process.env);
    mode = (invocation.globals.output as OutputMode | undefined) ?? "text";
    const { path, command } = invocation;
    if (invocation.help) {
      const help = await import("./help.ts");
      writeAll(1, `${command === undefined ? help.programHelp() : help.commandHelp(path, command)}\n`);
      return EXIT.ok;
    }
    if (command?.run === undefined) {
      const { shortVersion } = await import("../core/version.ts");
      writeAll(1, `llmspell ${shortVersion()}\n`);
      return EXIT.ok;
    }
    return await withIo(mode, invocation, (io) => command.run!(io, invocation.args, invocation.options));
  } catch (error) {
    return report(error, mode);
  }
}

async function withIo(
  mode: OutputMode,
  { command, globals, options, scriptArgs }: Invocation,
  body: (io: CommandIo) => Promise<number>,
): Promise<number> {
  const { Surroundings } = await import("./surroundings.ts");
  const surroundings = new Surroundings(mode, globals, scriptArgs, targetOf(command!, options));
  let code: number;
  try {
    code = await body(surroundings);
  } catch (error) {
    code = report(error, mode);
    // a failure at the end is no news then
    await surroundings.close().catch(() => undefined);
    return error instanceof OutputClosed ? code : (surroundings.stopCode ?? code);
  }
  await surroundings.close();
  return surroundings.stopCode ?? code;
}

function report(error: unknown, mode: OutputMode): number {
  if (error instanceof OutputClosed) return EXIT.closedOutput;
  try {
    writeAll(2, `${formatError(error)}\n`);
    if (mode === "json") writeAll(1, `${JSON.stringify(errorDocument(error))}\n`);
  } catch (second) {
    if (!(second instanceof OutputClosed)) throw second;
  }
  return exitCodeOfError(error);
}

/** The mode for failures of the parser itself. */
function guessMode(words: readonly string[]): OutputMode {
  const argv = words.slice(0, words.includes("--") ? words.indexOf("--") : undefined);
  const at = argv.findIndex((word) => word === "--output" || word.startsWith("--output="));
  if (at === -1) return "text";
  const value = argv[at]!.includes("=") ? argv[at]!.slice("--output=".length) : argv[at + 1];
  return value === "json" || value === "pretty" ? value : "text";
}
