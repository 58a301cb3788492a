/**
 * Patterns of event types (spec/kernel.md section 18.2). A type is segments between dots.
 * - `*` within a pattern stands for any characters of one segment: `*.error`, `tool.*.failed`.
 * - `*` at the end stands for any characters, dots included: `user.*`, `user*`; `*` alone matches everything.
 * - `**` stands for any characters, dots included; as a segment of its own also for no segment: `a.**.b` matches `a.b`.
 * Every other character stands for itself.
 */
import { SpellError } from "../core/errors.ts";

export type Pattern =
  | { readonly kind: "all" }
  | { readonly kind: "exact"; readonly text: string }
  | { readonly kind: "prefix"; readonly text: string }
  | { readonly kind: "glob"; matches(type: string): boolean };

const MAX_PATTERN_LENGTH = 1024;

/** @throws SpellError invalid_argument for an empty or overlong pattern */
export function compilePattern(text: string): Pattern {
  const rule =
    text === ""
      ? "must not be empty"
      : text.length > MAX_PATTERN_LENGTH
        ? `must be at most ${MAX_PATTERN_LENGTH} characters long`
        : undefined;
  if (rule !== undefined)
    throw new SpellError("invalid_argument", `Cannot subscribe to events: the pattern ${rule}`, {
      hint: "`*` matches every event, `user.*` every one whose type begins with `user.`",
    });
  const star = text.indexOf("*");
  if (star === -1) return { kind: "exact", text };
  if (/^\*+$/.test(text)) return { kind: "all" };
  const literal = text.replace(/\*+$/, "");
  if (literal.length === star) return { kind: "prefix", text: literal };
  const tokens = tokensOf(text);
  return { kind: "glob", matches: (type) => matchesTokens(tokens, type) };
}

export function matchesPattern(pattern: Pattern, type: string): boolean {
  switch (pattern.kind) {
    case "all":
      return true;
    case "exact":
      return type === pattern.text;
    case "prefix":
      return type.startsWith(pattern.text);
    case "glob":
      return pattern.matches(type);
  }
}

/** A character of the pattern, or what a star stands for. */
type Token = string | typeof WITHIN | typeof ACROSS | typeof SEGMENTS;

/** Any characters but dots. */
const WITHIN = 0;
/** Any characters. */
const ACROSS = 1;
/** Any whole segments, each with the dot behind it. */
const SEGMENTS = 2;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < text.length; ) {
    if (text[i] !== "*") {
      tokens.push(text[i++]!);
      continue;
    }
    const from = i;
    while (text[i] === "*") i++;
    const beginsSegment = from === 0 || text[from - 1] === ".";
    if (i === text.length || (i - from > 1 && !(beginsSegment && text[i] === "."))) tokens.push(ACROSS);
    else if (i - from === 1) tokens.push(WITHIN);
    else {
      tokens.push(SEGMENTS);
      i++; // the dot belongs to the segments
    }
  }
  return tokens;
}

/** Never more than pattern × type steps. `at` holds the places in the pattern where the reading may stand. */
function matchesTokens(tokens: readonly Token[], type: string): boolean {
  let at = new Set<number>();
  enter(tokens, at, 0);
  for (let i = 0; i < type.length && at.size > 0; i++) {
    const character = type[i]!;
    const next = new Set<number>();
    for (const place of at) {
      const token = tokens[place];
      if (token === character) enter(tokens, next, place + 1);
      else if (token === ACROSS || (token === WITHIN && character !== ".")) enter(tokens, next, place);
      else if (token === SEGMENTS) {
        // Stays among the segments; a dot ends one, after which the rest may begin.
        next.add(place);
        if (character === ".") enter(tokens, next, place + 1);
      }
    }
    at = next;
  }
  return at.has(tokens.length);
}

/** Stands at a place, and behind every star there that may stand for nothing. */
function enter(tokens: readonly Token[], places: Set<number>, place: number): void {
  places.add(place);
  if (typeof tokens[place] === "number") enter(tokens, places, place + 1);
}
