/** `auto_start`: runs `ollama serve` where no server answers, and ends it with this process. */

import { setTimeout as pause } from "node:timers/promises";
import type { Subprocess } from "bun";
import { SpellError } from "../../core/errors.ts";
import { printableLine } from "../../core/printable.ts";
import { type OllamaSettings, ollamaProgram } from "./settings.ts";

const START_MS = 20_000;
const POLL_MS = 100;
const END_MS = 5000;
const KEPT_TEXT = 2000;

export class StartedServer {
  private process: Subprocess<"ignore", "ignore", "pipe"> | undefined;
  private starting: Promise<void> | undefined;
  /** The end of what it wrote. */
  private said = "";

  constructor(private readonly settings: OllamaSettings) {}

  /** Only a server on this machine can be started, and only where the program is there. */
  get isWanted(): boolean {
    const { autoStart, isThisMachine, env } = this.settings;
    return autoStart && isThisMachine && ollamaProgram(env) !== undefined;
  }

  /**
   * Starts it, once for all who wait for it; who waits no longer does not end it.
   * @param answers whether it does
   * @throws provider where it ends before it answers, timeout
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
    const { baseUrl, log } = this.settings;
    if (hasEnded(this.process)) this.spawn();
    const endMs = performance.now() + START_MS;
    while (performance.now() < endMs) {
      if (await answers()) {
        log.info("model", "Ollama was started", { server: baseUrl });
        return;
      }
      if (hasEnded(this.process)) throw this.failed("it ended at once");
      await pause(POLL_MS);
    }
    throw this.failed(`it does not answer within ${START_MS / 1000} s`);
  }

  private spawn(): void {
    const { env } = this.settings;
    this.said = "";
    const child = Bun.spawn([ollamaProgram(env)!, "serve"], {
      env: { ...env, OLLAMA_HOST: new URL(this.settings.baseUrl).host },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
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
    return new SpellError("provider", `Cannot start \`ollama serve\`: ${rule}${reason}`, {
      data: { server: this.settings.baseUrl },
      hint: "Run `ollama serve` yourself to see what is wrong",
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
