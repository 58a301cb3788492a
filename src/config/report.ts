import { didYouMean } from "../core/nearest.ts";
import type { AdviceSink } from "./advice.ts";
import type { DecodeSink } from "./decode.ts";
import type { Environment, LayerSink } from "./layer.ts";
import type { RuleSink } from "./rules.ts";

export interface ConfigWarning {
  /** The key it is about. */
  path?: string;
  message: string;
  /** Matters only to those who use what it is about, who get an error then. */
  onUse?: true;
}

export interface ConfigProblem {
  path: string;
  /** The whole text, with the field and what is wrong. */
  message: string;
}

export interface ReportOptions {
  /** What set keys that no variable set. */
  source: string;
  env: Environment;
  home: string;
  /** The line of the source that sets a key, where it can be told. */
  lineOf: (path: string) => number | undefined;
}

/** What comes to light while one configuration is put together: who set what, warnings, and problems that forbid it. */
export class Report implements LayerSink, DecodeSink, RuleSink, AdviceSink {
  readonly warnings: ConfigWarning[] = [];
  readonly problems: ConfigProblem[] = [];
  /** Every key that was set, with who set it: the source, or the name of an environment variable. */
  readonly keysSet = new Map<string, string>();
  private readonly origins = new Map<string, string>();

  constructor(private readonly options: ReportOptions) {}

  warn(message: string, path?: string): void {
    this.warnings.push(path === undefined ? { message } : { path, message });
  }

  warnOnUse(message: string, path: string): void {
    this.warnings.push({ path, message, onUse: true });
  }

  fail(message: string, path: string): void {
    this.problems.push({ path, message });
  }

  origin(path: string, variable: string): void {
    this.origins.set(path, variable);
  }

  set(path: string): void {
    this.keysSet.set(path, this.origins.get(path) ?? this.options.source);
  }

  problem(path: string, reason: string): void {
    const variable = this.origins.get(path);
    const by = variable === undefined ? "" : `Environment variable ${variable}: `;
    const line = variable === undefined ? this.options.lineOf(path) : undefined;
    const where = line === undefined ? "" : ` (${this.options.source}:${line})`;
    this.fail(`Configuration validation failed in field '${path}': ${by}${reason}${where}`, path);
  }

  unknown(path: string, key: string, known: string[]): void {
    const hint = didYouMean(key, known);
    this.warn(`Unknown key ${path} is ignored${hint === undefined ? "" : `. ${hint}`}`, path);
  }

  /** Replaces a leading `~`, and `${VAR}` unless the text itself came from the environment. */
  expand(text: string, path: string): string {
    const { env, home } = this.options;
    const expanded = text.replace(/^~(?=$|[/\\])/, home);
    if (this.origins.has(path)) return expanded;
    return expanded.replace(/\$\{([A-Za-z_]\w*)\}/g, (_, name: string) => {
      const value = name === "HOME" ? (env.HOME ?? home) : env[name];
      if (value === undefined) this.warn(`Environment variable ${name} is not set; it counts as empty`, path);
      return value ?? "";
    });
  }

  explicit(path: string): boolean {
    return isSet(this.keysSet, path);
  }
}

/** Whether a key, or any key below a table, is among the set ones. */
export function isSet(explicit: ReadonlyMap<string, string>, path: string): boolean {
  if (explicit.has(path)) return true;
  for (const key of explicit.keys()) if (key.startsWith(`${path}.`)) return true;
  return false;
}
