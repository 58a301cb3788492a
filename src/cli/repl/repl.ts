/** The interactive prompt (spec/kernel.md section 8): reads inputs until they are whole, runs them, shows their values. */
import { join } from "node:path";
import { homeDirectory } from "../../core/paths.ts";
import type { KernelTarget } from "../../kernel/address.ts";
import type { CommandIo } from "../command.ts";
import { OutputClosed } from "../output.ts";
import { completeLine } from "./complete.ts";
import { isDotCommand, runDotCommand } from "./dot-commands.ts";
import { LineEditor } from "./editor.ts";
import { HistoryFile } from "./history.ts";
import { CANCELLED, type LineSource, PipedLines } from "./lines.ts";
import { painter } from "./paint.ts";
import { type ReplOptions, ReplSession } from "./session.ts";

export interface ReplStart {
  engine: ReplOptions["engine"];
  /** The kernel to use, where the command line does not say. */
  target?: KernelTarget;
  /** In place of the configured one. */
  historyPath?: string;
}

/** @returns the exit code */
export async function runRepl(io: CommandIo, options: ReplStart): Promise<number> {
  const { config } = await io.loadConfig();
  const { history_file, history_size, prompt, continuation_prompt } = config.protocols.repl;
  const interactive = io.isTty.stdin && io.isTty.stdout && io.mode !== "json";
  const path = options.historyPath ?? history_file ?? defaultHistoryPath(io.env);
  greet(io, options.engine, interactive);
  const kernel = await io.kernel(options.target);
  const session = new ReplSession(
    io,
    { engine: options.engine, kernel },
    history_size,
    new HistoryFile(path),
    interactive,
  );
  if (interactive) await session.recall();
  const reader = new InputReader(session, { prompt: session.paint("bold", prompt), continuation_prompt });
  try {
    await loop(session, reader);
  } finally {
    reader.lines.close();
  }
  if (io.mode === "json") io.json({ status: "repl_disconnected", mode: kernel.mode, engine: options.engine });
  return session.endCode();
}

async function loop(session: ReplSession, reader: InputReader): Promise<void> {
  reader.lines.remember(session.history.toReversed());
  while (session.exitCode === undefined && !session.io.signal.aborted) {
    const input = await reader.next();
    if (input === null) return;
    if (input.trim() === "") continue;
    try {
      await session.remember(input);
      if (isDotCommand(input)) await runDotCommand(session, input, reader.lines);
      else await session.input(input, reader.lines);
    } catch (error) {
      if (error instanceof OutputClosed) throw error;
      session.fail(error);
    }
    reader.lines.remember(session.history.toReversed());
  }
}

interface Prompts {
  prompt: string;
  continuation_prompt: string;
}

/** Puts lines together until the kernel says that they are a whole input. */
class InputReader {
  readonly lines: LineSource;
  /** Lines of an input that is not whole yet. */
  private text = "";

  constructor(
    private readonly session: ReplSession,
    private readonly prompts: Prompts,
  ) {
    this.lines = session.interactive
      ? new LineEditor({
          historySize: session.historySize,
          complete: (line) => completeLine(session, this.text, line),
          onInterrupt: () => session.interrupt(),
        })
      : new PipedLines(session.io);
  }

  /** Null at the end of input; what is not whole then is an input all the same. */
  async next(): Promise<string | null> {
    const { prompt, continuation_prompt } = this.prompts;
    this.text = "";
    for (;;) {
      const line = await this.line(this.text === "" ? prompt : continuation_prompt);
      if (line === null) return this.text === "" ? null : this.text;
      if (line === CANCELLED) {
        this.text = "";
        continue;
      }
      if (this.text === "" && isDotCommand(line)) return line;
      this.text = this.text === "" ? line : `${this.text}\n${line}`;
      const { state } = await this.session.ask({ type: "is_complete", code: this.text });
      if (state !== "incomplete") return this.text;
    }
  }

  /** Ends with the command: a signal takes the prompt away. */
  private async line(prompt: string): Promise<string | typeof CANCELLED | null> {
    const { signal } = this.session.io;
    const stopped = Promise.withResolvers<null>();
    const stop = () => stopped.resolve(null);
    if (signal.aborted) return null;
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([this.lines.read(prompt), stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

function greet(io: CommandIo, engine: string, interactive: boolean): void {
  const lines = [
    painter(io)("bold", `LLMSpell REPL - ${engine} engine`),
    "Type `.help` for commands, `.exit` to leave",
    "",
  ];
  for (const line of lines) {
    if (interactive) io.out(line);
    else io.err(line);
  }
}

function defaultHistoryPath(env: CommandIo["env"]): string {
  const home = homeDirectory(env);
  if (process.platform === "win32")
    return join(env.LOCALAPPDATA || join(home, "AppData", "Local"), "llmspell_history");
  const cache = process.platform === "darwin" ? join(home, "Library", "Caches") : join(home, ".cache");
  return join(env.XDG_CACHE_HOME || cache, "llmspell_history");
}
