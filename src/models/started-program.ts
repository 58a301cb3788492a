/** A server of models that this process starts when it is needed, and ends with itself. */
import { setTimeout as pause } from "node:timers/promises";
import type { Subprocess } from "bun";
import { SpellError } from "../core/errors.ts";
import { printableLine } from "../core/printable.ts";

const POLL_MS = 100;
const END_MS = 5000;
const KEPT_TEXT = 2000;

interface ProgramOptions {
  /** As messages say it: `ollama serve`. */
  name: string;
  /** Looked up when it is started. */
  command: () => string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Longest wait until it answers. */
  startMs: number;
  hint: string;
  /** Called once it answers. */
  onStart: () => void;
}

export class StartedProgram {
  private process: Subprocess<"ignore", "ignore", "pipe"> | undefined;
  private starting: Promise<void> | undefined;
  /** The end of what it wrote. */
  private said = "";

  constructor(private readonly options: ProgramOptions) {}

  /** Whether it was started here and has not ended. */
  get isRunning(): boolean {
    return !hasEnded(this.process);
  }

  /**
   * Starts it, once for all who wait for it; who waits no longer does not end it.
   * @param answers whether it does
   * @throws provider where it ends before it answers, or does not in time
   */
  async start(signal: AbortSignal | undefined, answers: () => Promise<boolean>): Promise<void> {
    this.starting ??= this.run(answers).finally(() => {
      this.starting = undefined;
    });
    this.starting.catch(() => undefined); // those who wait are told
    const aborted = Promise.withResolvers<never>();
    const stop = () => aborted.reject(signal!.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      signal?.throwIfAborted();
      await Promise.race([this.starting, aborted.promise]);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  private async run(answers: () => Promise<boolean>): Promise<void> {
    const { startMs, onStart } = this.options;
    if (hasEnded(this.process)) this.spawn();
    const endMs = performance.now() + startMs;
    while (performance.now() < endMs) {
      if (await answers()) return onStart();
      if (hasEnded(this.process)) throw this.failed("it ended at once");
      await pause(POLL_MS);
    }
    throw this.failed(`it does not answer within ${startMs / 1000} s`);
  }

  private spawn(): void {
    const { command, env } = this.options;
    this.said = "";
    let child: Subprocess<"ignore", "ignore", "pipe">;
    try {
      child = Bun.spawn(command(), { env: { ...env }, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    } catch (error) {
      throw this.failed(`it cannot be run: ${(error as Error).message}`);
    }
    child.unref();
    this.process = child;
    void this.listen(child.stderr);
  }

  private async listen(stderr: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stderr)
      this.said = (this.said + decoder.decode(chunk, { stream: true })).slice(-KEPT_TEXT);
  }

  private failed(rule: string): SpellError {
    const last = this.said.trim().split("\n").at(-1) ?? "";
    const reason = last === "" ? "" : `: ${printableLine(last)}`;
    return new SpellError("provider", `Cannot start \`${this.options.name}\`: ${rule}${reason}`, {
      hint: this.options.hint,
    });
  }

  async dispose(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (child === undefined || hasEnded(child)) return;
    child.kill("SIGTERM");
    const ended = await Promise.race([child.exited.then(() => true), pause(END_MS, false)]);
    if (!ended) child.kill("SIGKILL");
  }
}

const hasEnded = (child: Subprocess | undefined): boolean =>
  child === undefined || child.exitCode !== null || child.signalCode !== null;
