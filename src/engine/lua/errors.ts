/**
 * Errors between Lua and the kernel. A script gets the message as a plain string, so that `..`, `err:match` and
 * `tostring` work; what the message stood for is remembered here and found again when the string comes back.
 */
import { type ErrorCode, errorFromJson, errorToJson, messageOf, SpellError } from "../../core/errors.ts";
import { OWN_CHUNK } from "./prelude.ts";

const REMEMBERED = 64;

export class ErrorMemory {
  private readonly byMessage = new Map<string, SpellError>();

  /** The string to raise in Lua. */
  remember(thrown: unknown): string {
    const error = thrown instanceof SpellError ? thrown : new SpellError("internal", messageOf(thrown));
    this.byMessage.delete(error.message);
    this.byMessage.set(error.message, error);
    if (this.byMessage.size > REMEMBERED) {
      for (const oldest of this.byMessage.keys()) {
        this.byMessage.delete(oldest);
        break;
      }
    }
    return error.message;
  }

  /** The error that a message, with or without a position before it, was raised for. */
  recall(message: string): SpellError | undefined {
    return this.byMessage.get(message) ?? this.byMessage.get(message.replace(/^[^\n]*?:\d+: /, ""));
  }

  clear(): void {
    this.byMessage.clear();
  }
}

export interface Raised {
  /** The message, or undefined when the error object was no text. */
  message: string;
  /** The error object where it was no string. */
  value?: unknown;
  /** `script.lua:12: ` of the innermost script line, or "". */
  where: string;
  traceback: string;
}

/** The error as the kernel sees it. */
export function toSpellError(raised: Raised, memory: ErrorMemory, code: ErrorCode): SpellError {
  const known = memory.recall(raised.message);
  const data: Record<string, unknown> = { traceback: raised.traceback };
  const line = /^(.*):(\d+): $/.exec(raised.where);
  if (line !== null) Object.assign(data, { source: line[1], line: Number(line[2]) });
  if (raised.value !== undefined) data.value = raised.value;
  if (known === undefined) return new SpellError(code, raised.message, { data });
  const json = errorToJson(known);
  json.data = { ...json.data, ...data };
  json.message = raised.message;
  return errorFromJson(json);
}

/** The lines of a Lua traceback that belong to the script: our own chunks and C frames at the end are left out. */
export function scriptTraceback(text: string): string {
  const all = text.split("\n");
  const isOwn = (line: string | undefined) => line?.includes(OWN_CHUNK) ?? false;
  const lines = all.filter(
    (line, i) => !isOwn(line) && !(line.trim() === "(...tail calls...)" && isOwn(all[i - 1])),
  );
  while (lines.length > 1 && lines.at(-1)?.trim() === "[C]: in ?") lines.pop();
  return lines.join("\n");
}
