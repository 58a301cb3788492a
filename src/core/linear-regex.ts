import type { RE2JS } from "re2js";
import { SpellError } from "./errors.ts";

export interface LinearRegexOptions {
  ignoreCase?: boolean;
  multiline?: boolean;
  dotAll?: boolean;
}

/** Loaded at first use: most runs have no user-supplied expression. */
const engine = (): typeof import("re2js") => require("re2js");

/**
 * A regular expression that a user, a script or a model wrote, in RE2's syntax (no back-references, no lookaround).
 * Matching takes time linear in the text whatever the pattern, so it cannot hang the process.
 * @throws SpellError invalid_argument
 */
export function linearRegex(pattern: string, options: LinearRegexOptions = {}): RE2JS {
  const { RE2JS } = engine();
  const flags =
    (options.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) |
    (options.multiline ? RE2JS.MULTILINE : 0) |
    (options.dotAll ? RE2JS.DOTALL : 0);
  try {
    return RE2JS.compile(pattern, flags);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SpellError("invalid_argument", `Cannot compile regular expression: ${reason}`, {
      data: { pattern },
      hint: "The syntax is RE2's: no back-references and no lookaround",
      cause,
    });
  }
}
