import { SpellError } from "../core/errors.ts";

/** A wrong command line: exit code 2. */
export function usageError(message: string, hint?: string): SpellError {
  return new SpellError("usage", message, {
    hint: hint ?? "Run `llmspell --help` for the commands and options",
  });
}
