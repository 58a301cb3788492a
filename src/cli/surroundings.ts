/** What a command gets of the outside world in a real process. */
import type { LoadedConfig } from "../config/load.ts";
import { SpellError } from "../core/errors.ts";
import type { LogLevel } from "../core/log.ts";
import { homeDirectory } from "../core/paths.ts";
import type { KernelTarget } from "../kernel/address.ts";
import type { KernelClient } from "../kernel/api.ts";
import type { CommandIo, GlobalOptions, OptionValues, OutputMode } from "./command.ts";
import { EXIT } from "./exit-codes.ts";
import { effectiveLevel, stderrLog } from "./log-sink.ts";
import { writeAll } from "./output.ts";
import { LineReader } from "./stdin.ts";

export class Surroundings implements CommandIo {
  readonly env = process.env;
  readonly cwd = process.cwd();
  /** Looked at only when asked: these streams load all of Node's stream code. */
  readonly isTty = {
    get stdin() {
      return process.stdin.isTTY === true;
    },
    get stdout() {
      return process.stdout.isTTY === true;
    },
    get stderr() {
      return process.stderr.isTTY === true;
    },
  };
  readonly globals: GlobalOptions;
  /** Set when a signal ended the command: the exit code that says so. */
  stopCode: number | undefined;

  private readonly abort = new AbortController();
  private readonly stdin = new LineReader();
  private loaded: Promise<LoadedConfig> | undefined;
  private client: Promise<KernelClient> | undefined;
  private readonly onSigint = () => this.stop(EXIT.interrupted);
  private readonly onSigterm = () => this.stop(EXIT.terminated);

  constructor(
    readonly mode: OutputMode,
    globals: OptionValues,
    readonly scriptArgs: readonly string[],
    /** Undefined: the command works in this process. */
    private readonly target?: KernelTarget,
  ) {
    this.globals = {
      output: mode,
      ...(typeof globals.config === "string" ? { config: globals.config } : {}),
      ...(typeof globals.profile === "string" ? { profile: globals.profile } : {}),
      ...(typeof globals.trace === "string"
        ? { trace: (globals.trace === "off" ? "error" : globals.trace) as LogLevel }
        : {}),
    };
    process.on("SIGINT", this.onSigint);
    process.on("SIGTERM", this.onSigterm);
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  out(text: string): void {
    writeAll(1, `${text}\n`);
  }

  write(data: string | Uint8Array): void {
    writeAll(1, data);
  }

  err(text: string): void {
    writeAll(2, `${text}\n`);
  }

  json(value: unknown, indent = false): void {
    this.out(JSON.stringify(value, null, indent ? 2 : undefined));
  }

  async prompt(text: string, options: { secret?: boolean } = {}): Promise<string | null> {
    if (!this.isTty.stdin) {
      throw new SpellError("usage", "Cannot ask: standard input is no terminal", {
        hint: "Give the answer on the command line; `--help` lists the options",
      });
    }
    return this.unlessStopped(options.secret ? this.stdin.secretAnswer(text) : this.answer(text));
  }

  private answer(question: string): Promise<string | null> {
    writeAll(2, question);
    return this.stdin.line();
  }

  /** @throws interrupted when the command is stopped first */
  private unlessStopped<T>(work: Promise<T>): Promise<T> {
    const stopped = Promise.withResolvers<never>();
    const stop = () => stopped.reject(this.signal.reason);
    this.signal.addEventListener("abort", stop, { once: true });
    return Promise.race([work, stopped.promise]).finally(() =>
      this.signal.removeEventListener("abort", stop),
    );
  }

  /** A line of standard input for a script that reads one. */
  async inputLine(prompt: string): Promise<Uint8Array | null> {
    if (prompt !== "") writeAll(this.isTty.stdin ? 1 : 2, prompt);
    return this.stdin.bytes();
  }

  loadConfig(): Promise<LoadedConfig> {
    this.loaded ??= this.load();
    return this.loaded;
  }

  private async load(): Promise<LoadedConfig> {
    const { loadConfig } = await import("../config/load.ts");
    const loaded = await loadConfig({
      ...(this.globals.profile === undefined ? {} : { profile: this.globals.profile }),
      ...(this.globals.config === undefined ? {} : { configPath: this.globals.config }),
      env: this.env,
      cwd: this.cwd,
      home: homeDirectory(this.env),
    });
    const log = this.log(loaded);
    for (const { message, path, onUse } of loaded.warnings) {
      const level = onUse && !this.namesConfiguration() ? "info" : "warn";
      log.write(level, "config", message, path === undefined ? undefined : { key: path });
    }
    return loaded;
  }

  /** Whether the user chose this configuration for this command, rather than that it was found. */
  private namesConfiguration(): boolean {
    const { profile, config } = this.globals;
    return Boolean(profile ?? config ?? (this.env.LLMSPELL_PROFILE || this.env.LLMSPELL_CONFIG));
  }

  private log(loaded: LoadedConfig) {
    const level = effectiveLevel(this.env, this.globals.trace, loaded.config.runtime.log_level);
    return stderrLog(level, this.env);
  }

  kernel(target = this.target): Promise<KernelClient> {
    this.client ??= target === undefined ? this.embedded() : this.connected(target);
    return this.client;
  }

  /** spec/cli.md section 2. */
  private async connected(target: KernelTarget): Promise<KernelClient> {
    if (target.connect !== undefined || target.kernel !== undefined) {
      this.refuseConfiguration();
      const { connectTo } = await import("../kernel/address.ts");
      return connectTo(target, this);
    }
    const loaded = await this.loadConfig();
    if (!loaded.config.kernel.auto_connect) return this.embedded();
    const { connectToOnlyKernel } = await import("../kernel/address.ts");
    return (await connectToOnlyKernel(this, this.log(loaded))) ?? this.embedded();
  }

  /** A kernel that runs has a configuration of its own. @throws SpellError usage */
  private refuseConfiguration(): void {
    const { profile, config } = this.globals;
    if (profile === undefined && config === undefined) return;
    throw new SpellError(
      "usage",
      `Cannot use ${profile === undefined ? "--config" : "--profile"}: the kernel that is connected to has its own configuration`,
      {
        hint: "Leave the option out, or start a kernel with it",
      },
    );
  }

  private async embedded(): Promise<KernelClient> {
    const [loaded, { createKernel }] = await Promise.all([this.loadConfig(), import("../kernel/kernel.ts")]);
    return createKernel({ loaded, log: this.log(loaded), env: this.env, cwd: this.cwd });
  }

  /** The first signal asks the command to end, the second ends the process. */
  private stop(code: number): void {
    if (this.stopCode !== undefined) process.exit(code);
    this.stopCode = code;
    this.abort.abort(new SpellError("interrupted", "Interrupted"));
  }

  leaveSignals(): void {
    process.off("SIGINT", this.onSigint);
    process.off("SIGTERM", this.onSigterm);
  }

  async close(): Promise<void> {
    if (this.client !== undefined) {
      const client = await this.client.catch(() => undefined); // the command has failed with it
      await client?.shutdown();
    }
    this.leaveSignals();
  }
}
