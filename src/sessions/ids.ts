import { SpellError } from "../core/errors.ts";

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** @returns the id as it is stored @throws SpellError invalid_argument */
export function sessionId(text: string): string {
  if (UUID.test(text)) return text.toLowerCase();
  throw new SpellError("invalid_argument", `Invalid session ID: ${text.slice(0, 100)}`, {
    hint: "Session.create and Session.list give ids",
  });
}

export const isSessionId = (text: string): boolean => UUID.test(text);

export const sessionNotFound = (id: string): SpellError =>
  new SpellError("not_found", `Session not found: ${id}`, {
    data: { session_id: id },
    hint: "Session.list() or `llmspell session list` shows the sessions",
  });
