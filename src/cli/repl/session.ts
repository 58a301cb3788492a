/** One sitting at the prompt: what is run in the kernel, what is shown of it, and what is remembered. */
import { errorFromJson, messageOf, SpellError } from "../../core/errors.ts";
import { documentValue } from "../../core/json.ts";
import type {
  ExecuteReply,
  ExecuteRequest,
  KernelClient,
  KernelReply,
  KernelRequest,
} from "../../kernel/api.ts";
import type { CommandIo } from "../command.ts";
import { EXIT, exitCodeOfError } from "../exit-codes.ts";
import { formatError } from "../format-error.ts";
import { scriptArguments } from "../script-args.ts";
import type { HistoryFile } from "./history.ts";
import type { LineSource } from "./lines.ts";
import { type Paint, painter } from "./paint.ts";
import { Screen } from "./screen.ts";

export interface ReplOptions {
  engine: "lua";
  kernel: KernelClient;
}

export interface Script {
  code: string | Uint8Array;
  /** Shown in messages. */
  name: string;
  path?: string;
  words?: readonly string[];
}

/** A change of the heap that is worth a line. */
const SHOWN_HEAP_CHANGE_BYTES = 1_000_000;

export class ReplSession {
  readonly paint: Paint;
  /** Where file commands look; scripts keep the directory in which the program was started. */
  directory: string;
  /** Inputs, the oldest first. */
  readonly history: string[] = [];
  showsPerformance: boolean;
  readonly startedMs = Date.now();
  executions = 0;
  failures = 0;
  executionMs = 0;
  /** Set when the session is to end. */
  exitCode: number | undefined;
  private firstFailure: number | undefined;
  private heapBytes: number | undefined;
  private readonly screen: Screen;
  private running: AbortController | undefined;

  constructor(
    readonly io: CommandIo,
    readonly options: ReplOptions,
    readonly historySize: number,
    private historyFile: HistoryFile | undefined,
    readonly interactive: boolean,
  ) {
    this.paint = painter(io);
    this.directory = io.cwd;
    this.showsPerformance = interactive;
    this.screen = new Screen(io);
  }

  /** The exit code at the end of input: somebody who sees failures has dealt with them. */
  endCode(): number {
    return this.exitCode ?? (this.interactive ? EXIT.ok : (this.firstFailure ?? EXIT.ok));
  }

  // ---- showing ----

  /** A line of results. */
  say(text: string): void {
    if (this.io.mode === "json") this.io.err(text);
    else this.io.out(text);
  }

  fail(error: unknown): void {
    this.failures++;
    this.firstFailure ??= exitCodeOfError(error);
    this.io.err(this.paint("red", formatError(error)));
  }

  // ---- the kernel ----

  /** @throws SpellError of the kernel's code */
  async ask(request: KernelRequest): Promise<Record<string, unknown>> {
    const reply: KernelReply = await this.options.kernel.request(request, { signal: this.io.signal });
    if (reply.status === "error") throw errorFromJson(reply.error);
    return { ...reply };
  }

  /** Runs an input and shows what comes of it. */
  async input(code: string, lines: LineSource): Promise<void> {
    await this.run({ code, name: "repl" }, lines, true);
  }

  async run(script: Script, lines: LineSource, interactive = false): Promise<void> {
    const { words = [], ...rest } = script;
    const request: ExecuteRequest = {
      type: "execute",
      ...rest,
      args: scriptArguments(script.name, words),
      language: this.options.engine,
      stream: false,
      interactive,
    };
    this.executions++;
    const started = performance.now();
    const reply = await this.execute(request, lines);
    this.screen.end(this.interactive);
    const durationMs = reply.status === "ok" ? reply.durationMs : performance.now() - started;
    this.executionMs += durationMs;
    if (reply.status === "error") this.fail(errorFromJson(reply.error));
    else if (reply.exitCode !== undefined) this.exitCode = reply.exitCode;
    else if (reply.value !== null) this.showValue(reply.value);
    if (this.showsPerformance && this.exitCode === undefined)
      this.showPerformance(durationMs, reply.status === "ok" ? reply.heapBytes : undefined);
  }

  /** Stops what runs. */
  interrupt(): void {
    this.running?.abort(new SpellError("interrupted", "Interrupted"));
  }

  private async execute(request: ExecuteRequest, lines: LineSource) {
    const running = new AbortController();
    let closed: unknown;
    this.running = running;
    try {
      const reply = await this.options.kernel.request(request, {
        signal: AbortSignal.any([this.io.signal, running.signal]),
        onInput: (prompt) => this.scriptInput(prompt, lines),
        isAttended: () => lines.interactive,
        onEvent: (event) => {
          if (closed !== undefined) return;
          try {
            this.screen.show(event);
          } catch (error) {
            closed = error;
            running.abort(error);
          }
        },
      });
      if (closed !== undefined) throw closed;
      return reply;
    } finally {
      this.running = undefined;
    }
  }

  /** A line for a script that reads standard input. */
  private async scriptInput(prompt: string, lines: LineSource): Promise<Uint8Array | null> {
    if (!lines.interactive) return this.io.inputLine(prompt);
    const line = await lines.read(this.screen.takeOpenLine() + prompt);
    if (typeof line === "string") return new TextEncoder().encode(`${line}\n`);
    if (line !== null) this.interrupt();
    return null;
  }

  private showValue(value: ExecuteReply["value"]): void {
    const document = documentValue(value);
    const line = JSON.stringify(document);
    const width = process.stdout.columns ?? 80;
    this.say(this.interactive && line.length > width ? JSON.stringify(document, null, 2) : line);
  }

  private showPerformance(durationMs: number, heapBytes: number | undefined): void {
    const shown = durationMs < 10 ? durationMs.toFixed(1) : Math.round(durationMs);
    this.io.err(this.paint("dim", `⏱️ ${shown} ms`));
    if (heapBytes === undefined) return;
    const change = heapBytes - (this.heapBytes ?? heapBytes);
    this.heapBytes = heapBytes;
    if (Math.abs(change) <= SHOWN_HEAP_CHANGE_BYTES) return;
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
    const signed = `${change > 0 ? "+" : ""}${megabytes(change)}`;
    this.io.err(this.paint("dim", `💾 ${signed} MB (heap: ${megabytes(heapBytes)} MB)`));
  }

  // ---- history ----

  async remember(input: string): Promise<void> {
    if (this.history.at(-1) === input) return;
    this.history.push(input);
    if (this.history.length > this.historySize) this.history.shift();
    // What is piped in stands in a file of its own.
    if (this.interactive) await this.inHistoryFile((file) => file.append(input));
  }

  async forget(): Promise<void> {
    this.history.length = 0;
    await this.inHistoryFile((file) => file.clear());
  }

  /** Takes up what earlier sessions left. */
  async recall(): Promise<void> {
    await this.inHistoryFile(async (file) => {
      this.history.push(...(await file.read(this.historySize)));
    });
  }

  /** A history that cannot be kept is told of once; work goes on. */
  private async inHistoryFile(work: (file: HistoryFile) => Promise<void>): Promise<void> {
    if (this.historyFile === undefined) return;
    try {
      await work(this.historyFile);
    } catch (error) {
      this.io.err(`Warning: the history is not kept: ${messageOf(error)}`);
      this.historyFile = undefined;
    }
  }
}
