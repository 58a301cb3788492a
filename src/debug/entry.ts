import { stringifyJson } from "../core/json.ts";
import type { LogLevel } from "../core/log.ts";

/** One line that a script logged. */
export interface DebugEntry {
  timeMs: number;
  level: LogLevel;
  message: string;
  module?: string;
  /** A value with a JSON form (`loggable`). */
  metadata?: unknown;
}

const ENTRY_FORMATS = ["text", "json", "json_pretty"] as const;
export type EntryFormat = (typeof ENTRY_FORMATS)[number];

const COLOURS: Record<LogLevel, number> = { error: 31, warn: 33, info: 32, debug: 34, trace: 90 };

const pad = (n: number, width: number): string => String(n).padStart(width, "0");

/** `2026-03-01 09:05:07.042` in local time. */
function localTime(timeMs: number): string {
  const d = new Date(timeMs);
  const date = `${d.getFullYear()}-${pad(d.getMonth() + 1, 2)}-${pad(d.getDate(), 2)}`;
  return `${date} ${pad(d.getHours(), 2)}:${pad(d.getMinutes(), 2)}:${pad(d.getSeconds(), 2)}.${pad(d.getMilliseconds(), 3)}`;
}

/** The entry as scripts and JSON output see it; the time is ISO 8601 in UTC. */
export function entryFields(entry: DebugEntry) {
  return {
    timestamp: new Date(entry.timeMs).toISOString(),
    level: entry.level.toUpperCase(),
    message: entry.message,
    ...(entry.module === undefined ? {} : { module: entry.module }),
    ...(entry.metadata === undefined ? {} : { metadata: entry.metadata }),
  };
}

/** The entry as text with its line end. */
export function formatEntry(entry: DebugEntry, format: EntryFormat, coloured: boolean): string {
  if (format !== "text") return `${stringifyJson(entryFields(entry), format === "json_pretty")}\n`;
  const word = entry.level.toUpperCase();
  const level = coloured ? `\x1b[${COLOURS[entry.level]}m${word}\x1b[0m` : word;
  const module = entry.module === undefined ? "" : ` [${entry.module}]`;
  const metadata = entry.metadata === undefined ? "" : ` ${stringifyJson(entry.metadata)}`;
  return `${localTime(entry.timeMs)} ${level}${module} ${entry.message}${metadata}\n`;
}
