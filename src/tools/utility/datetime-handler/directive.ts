/** The pieces of a strftime pattern, in the notation of Rust's chrono. */
import { SpellError } from "../../../core/errors.ts";

export interface Directive {
  /** The letter, with what distinguishes its variants: `Y`, `.f`, `.3f`, `6f`, `:z`. */
  readonly code: string;
  /** `-` no padding, `_` spaces, `0` zeros. */
  readonly pad: string;
}

/** Shorthands and what they stand for. */
const COMPOSED: Readonly<Record<string, string>> = {
  D: "%m/%d/%y",
  x: "%m/%d/%y",
  F: "%Y-%m-%d",
  v: "%e-%b-%Y",
  R: "%H:%M",
  T: "%H:%M:%S",
  X: "%H:%M:%S",
  r: "%I:%M:%S %p",
  c: "%a %b %e %H:%M:%S %Y",
  "+": "%Y-%m-%dT%H:%M:%S%.f%:z",
};

const DIRECTIVE = /^%([-_0]?)(\.[369]?f|[369]f|:{1,3}z|[A-Za-z+%])/;
const KNOWN_CODES = new Set(
  [..."YCyqmbBhdeaAwuUWGgVjHkIlPpMSfZzsnt%"].concat([
    ".f",
    ".3f",
    ".6f",
    ".9f",
    "3f",
    "6f",
    "9f",
    ":z",
    "::z",
    ":::z",
  ]),
);

/** @throws SpellError invalid_argument: an unknown specifier */
export function directives(pattern: string): (string | Directive)[] {
  const parts: (string | Directive)[] = [];
  let at = 0;
  while (at < pattern.length) {
    const percent = pattern.indexOf("%", at);
    if (percent === -1) break;
    if (percent > at) parts.push(pattern.slice(at, percent));
    const match = DIRECTIVE.exec(pattern.slice(percent, percent + 6));
    const [whole = "", pad = "", code = ""] = match ?? [];
    if (Object.hasOwn(COMPOSED, code)) parts.push(...directives(COMPOSED[code]!));
    else if (KNOWN_CODES.has(code)) parts.push({ code, pad });
    else throw unknown(pattern.slice(percent, percent + 3));
    at = percent + whole.length;
  }
  if (at < pattern.length) parts.push(pattern.slice(at));
  return parts;
}

function unknown(specifier: string): SpellError {
  return new SpellError("invalid_argument", `Invalid format: unknown specifier '${specifier}'`, {
    hint: "The operation `formats` lists the specifiers; write %% for a percent sign",
  });
}
