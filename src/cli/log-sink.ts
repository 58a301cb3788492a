/** Log lines on stderr, and which of them are wanted. */
import { LOG_LEVELS, Log, type LogLevel, type LogRecord, type LogSink } from "../core/log.ts";
import { writeAll } from "./output.ts";

/**
 * The level in force: `RUST_LOG`/`LLMSPELL_LOG` beat `--trace`, which beats `runtime.log_level`. Of a filter such as
 * `warn,llmspell=debug` the entry for llmspell counts, else the general one.
 */
export function effectiveLevel(
  env: Record<string, string | undefined>,
  trace: string | undefined,
  configured?: string,
): LogLevel {
  return chosenLevel(env, trace) ?? (configured === undefined ? undefined : levelOf(configured)) ?? "warn";
}

/** The level that the environment or the command line asks for. */
export function chosenLevel(
  env: Record<string, string | undefined>,
  trace: string | undefined,
): LogLevel | undefined {
  for (const filter of [env.LLMSPELL_LOG, env.RUST_LOG, trace]) {
    const level = filter === undefined ? undefined : levelOf(filter);
    if (level !== undefined) return level;
  }
  return undefined;
}

function levelOf(filter: string): LogLevel | undefined {
  const parts = filter
    .toLowerCase()
    .split(",")
    .map((p) => p.trim());
  const own = parts.findLast((p) => p.startsWith("llmspell=")) ?? parts.findLast((p) => !p.includes("="));
  const word = own?.replace("llmspell=", "");
  if (word === "off" || word === "none") return "error";
  return LOG_LEVELS.find((l) => l === word);
}

export function stderrLog(level: LogLevel, env: Record<string, string | undefined>): Log {
  return new Log(stderrSink(env), level);
}

export function stderrSink(env: Record<string, string | undefined>): LogSink {
  const line = env.LOG_FORMAT === "json" ? jsonLine : textLine;
  return (record) => writeAll(2, `${line(record)}\n`);
}

function textLine(r: LogRecord): string {
  const fields = Object.entries(r.fields ?? {}).map(
    ([k, v]) => ` ${k}=${typeof v === "string" ? v : JSON.stringify(v)}`,
  );
  const id = r.correlationId === undefined ? "" : ` id=${r.correlationId}`;
  return `${new Date(r.timeMs).toISOString()} ${r.level.toUpperCase().padEnd(5)} ${r.category}: ${r.message}${fields.join("")}${id}`;
}

function jsonLine(r: LogRecord): string {
  const { timeMs, fields, ...rest } = r;
  return JSON.stringify({ timestamp: new Date(timeMs).toISOString(), ...rest, ...fields });
}
