/** What both template languages share: the look of values, looking things up, errors. */
import { SpellError } from "../../../core/errors.ts";
import { isPlainObject } from "../../../core/values.ts";

/** Text that is not escaped again. */
export class SafeText {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

/** Own members only: nothing of JavaScript's prototypes is reachable. */
export function member(value: unknown, key: unknown): unknown {
  if (Array.isArray(value)) {
    const index = typeof key === "string" && /^[0-9]+$/.test(key) ? Number(key) : key;
    return typeof index === "number" && Number.isInteger(index) ? value[index] : undefined;
  }
  const name = String(key);
  return isPlainObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function isTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isPlainObject(value)) return Object.keys(value).length > 0;
  if (value instanceof SafeText) return value.text !== "";
  return Boolean(value);
}

export function display(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return `[${value.map(display).join(", ")}]`;
  if (isPlainObject(value)) return "[object]";
  if (value instanceof Uint8Array) throw templateError("a value is not UTF-8 text");
  return String(value);
}

export function escapeWith(value: unknown, table: Readonly<Record<string, string>>, pattern: RegExp): string {
  return value instanceof SafeText ? value.text : display(value).replace(pattern, (char) => table[char]!);
}

export function missingVariable(path: string, line: number, hint: string): SpellError {
  const shown = path.length > 80 ? `${path.slice(0, 77)}...` : path;
  return templateError(`Variable '${shown}' not found in context`, line, hint);
}

export function templateError(reason: string, line?: number, hint?: string): SpellError {
  const place = line === undefined ? "" : ` (line ${line})`;
  return new SpellError("invalid_argument", `Template error: ${reason}${place}`, {
    ...(line === undefined ? {} : { data: { line } }),
    ...(hint === undefined ? {} : { hint }),
  });
}
