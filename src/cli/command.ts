/** A command is data plus a handler; one file each in `commands/`, loaded when it is used. */
import type { LoadedConfig } from "../config/load.ts";
import type { LogLevel } from "../core/log.ts";
import type { KernelTarget } from "../kernel/address.ts";
import type { KernelClient } from "../kernel/api.ts";

export interface OptionDecl {
  /** `--force`, or `--output` with `value`. */
  flag: `--${string}`;
  short?: `-${string}`;
  /** What its value is called in the help; absent for a switch. */
  value?: string;
  choices?: readonly string[];
  /** May be given several times; the handler gets an array. */
  repeat?: boolean;
  default?: string | boolean;
  doc: string;
  /** Environment variable that stands in for the flag. */
  env?: string;
  hidden?: boolean;
}

export interface ArgDecl {
  name: string;
  doc: string;
  optional?: boolean;
  /** Takes all remaining words; the handler gets an array. */
  rest?: boolean;
  choices?: readonly string[];
}

export type ArgValues = Record<string, string | string[] | undefined>;
/** Keys are flag names without dashes, as typed (`show-secrets`). Switches are booleans, all else strings. */
export type OptionValues = Record<string, string | string[] | boolean | undefined>;

export interface CommandDecl {
  name: string;
  summary: string;
  /** Text under the summary in the command's help. */
  details?: string;
  aliases?: readonly string[];
  hidden?: boolean;
  options: readonly OptionDecl[];
  args?: readonly ArgDecl[];
  /** Words after `--` belong to the script. */
  scriptArgs?: boolean;
  subcommands?: readonly CommandDecl[];
  /** Runs the command and gives the exit code. Failures are thrown as SpellError. */
  run?: (io: CommandIo, args: ArgValues, options: OptionValues) => Promise<number>;
}

export type OutputMode = "text" | "json" | "pretty";

export interface GlobalOptions {
  config?: string;
  profile?: string;
  /** Undefined: not given, so the configuration's level applies. */
  trace?: LogLevel;
  output: OutputMode;
}

/** What a command may use of the outside world. */
export interface CommandIo {
  readonly mode: OutputMode;
  readonly globals: GlobalOptions;
  readonly env: Record<string, string | undefined>;
  readonly cwd: string;
  readonly isTty: { stdin: boolean; stdout: boolean; stderr: boolean };
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** The command takes SIGINT and SIGTERM itself from now on: `signal` is no more aborted. */
  leaveSignals(): void;
  /** Words after `--`. */
  readonly scriptArgs: readonly string[];
  /** A line (or several) of results on stdout; the final newline is added. */
  out(text: string): void;
  /** Results as they are, nothing added. */
  write(data: string | Uint8Array): void;
  /** A line on stderr. */
  err(text: string): void;
  /** One JSON document on stdout: one line unless `indent`. */
  json(value: unknown, indent?: boolean): void;
  /** Asks on the terminal; null at end of input. @throws usage where stdin is no terminal */
  prompt(text: string, options?: { secret?: boolean }): Promise<string | null>;
  /** A line of standard input for a script that reads one; null at its end. */
  inputLine(prompt: string): Promise<Uint8Array | null>;
  /** The effective configuration; loaded once, warnings go to stderr. */
  loadConfig(): Promise<LoadedConfig>;
  /**
   * The kernel this command talks to: the one that its options or `target` name, else one in this process. Made once,
   * left when the command ends.
   */
  kernel(target?: KernelTarget): Promise<KernelClient>;
}
