import type { LogRecord } from "../../core/log.ts";

/** `[YYYY-MM-DD HH:MM:SS.mmm] LEVEL category: message key=value`, local time; spec/kernel.md section 12.2. */
export function textLine(record: LogRecord): string {
  const { timeMs, level, category, message, correlationId, fields } = record;
  const pairs = Object.entries(fields ?? {}).map(([key, value]) => ` ${key}=${fieldText(value)}`);
  const id = correlationId === undefined ? "" : ` id=${correlationId}`;
  return `[${localTime(new Date(timeMs))}] ${level.toUpperCase()} ${category}: ${oneLine(message)}${pairs.join("")}${id}`;
}

export function jsonLine(record: LogRecord): string {
  const { timeMs, fields, correlationId, ...rest } = record;
  const id = correlationId === undefined ? {} : { correlation_id: correlationId };
  return JSON.stringify({ timestamp: new Date(timeMs).toISOString(), ...rest, ...id, ...fields });
}

function fieldText(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  return /[\s"=]/.test(value) || value === "" ? JSON.stringify(value) : value;
}

/** Nobody's text begins a line that looks like ours. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ⏎ ");
}

function localTime(date: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
