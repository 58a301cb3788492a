/**
 * The operations. Characters are code points: a surrogate pair is never split, a letter and its combining marks may be.
 */
import { SpellError } from "../../../core/errors.ts";
import { missingParameter } from "../../parameters.ts";
import { codePointLength, dedent, indent, titlecase, wordWrap } from "./layout.ts";
import { capitalise, splitWords } from "./words.ts";

export interface TextOptions {
  from?: string | undefined;
  to?: string | undefined;
  start?: number | undefined;
  end?: number | undefined;
  delimiter?: string | undefined;
  max_length?: number | undefined;
  suffix?: string | undefined;
  spaces?: number | undefined;
  width?: number | undefined;
  count_type?: "words" | "chars" | "lines" | undefined;
}

export type Operation = (input: string, options: TextOptions) => string | number;

const MAX_RESULT_CHARACTERS = 100_000_000;

/** Text, or a number for what counts. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  uppercase: (input) => input.toUpperCase(),
  lowercase: (input) => input.toLowerCase(),
  reverse: (input) => [...input].reverse().join(""),
  trim: (input) => input.trim(),
  replace,
  substring: (input, { start = 0, end }) => slice(input, start, end ?? Infinity),
  split: (input, { delimiter = " " }) =>
    JSON.stringify(delimiter === "" ? [...input] : input.split(delimiter)),
  join,
  snake_case: (input) => splitWords(input).join("_").toLowerCase(),
  camel_case: (input) => {
    const [first = "", ...rest] = splitWords(input);
    return first.toLowerCase() + rest.map(capitalise).join("");
  },
  pascal_case: (input) => splitWords(input).map(capitalise).join(""),
  sanitize,
  truncate: (input, { max_length = 100, suffix = "..." }) => {
    if (input.length <= max_length || codePointLength(input) <= max_length) return input;
    const kept = Math.max(0, max_length - codePointLength(suffix));
    return slice(slice(input, 0, kept) + suffix, 0, max_length);
  },
  indent: (input, { spaces = 4 }) => {
    checkSize(input.length + occurrences(input, "\n") * spaces);
    return indent(input, spaces);
  },
  dedent: (input) => dedent(input),
  normalize_whitespace: (input) => input.trim().split(/\s+/).join(" "),
  word_wrap: (input, { width = 80 }) => wordWrap(input, width),
  count: (input, { count_type = "words" }) => count(input, count_type),
  titlecase: (input) => titlecase(input),
  capitalize: (input) => capitalise(input),
  length: (input) => codePointLength(input),
};

function replace(input: string, { from, to }: TextOptions): string {
  if (from === undefined) throw missingParameter("from");
  if (to === undefined) throw missingParameter("to");
  if (from === "") throw new SpellError("invalid_argument", "Invalid from: it must not be empty");
  checkSize(input.length + occurrences(input, from) * (to.length - from.length));
  return input.replaceAll(from, () => to);
}

function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

function checkSize(characters: number): void {
  if (characters <= MAX_RESULT_CHARACTERS) return;
  throw new SpellError("limit", `Cannot change the text: the result would have ${characters} characters`, {
    data: { limit: "result_characters", allowed: MAX_RESULT_CHARACTERS, used: characters },
  });
}

/** Code points `start` to before `end`; empty where there are none. */
function slice(input: string, start: number, end: number): string {
  if (start < 0 || end <= start) return "";
  let index = 0;
  let offset = 0;
  let from = input.length;
  for (const char of input) {
    if (index === start) from = offset;
    if (index === end) return input.slice(from, offset);
    index++;
    offset += char.length;
  }
  return input.slice(from);
}

function join(input: string, { delimiter = " " }: TextOptions): string {
  let items: unknown;
  try {
    items = JSON.parse(input);
  } catch (cause) {
    throw notAnArray(cause);
  }
  if (!Array.isArray(items)) throw notAnArray();
  return items.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join(delimiter);
}

function notAnArray(cause?: unknown): SpellError {
  return new SpellError("invalid_argument", "Invalid input: join takes the text of a JSON array", {
    hint: 'Write for example ["a","b"]',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Keeps printable ASCII, newlines and tabs. */
function sanitize(input: string): string {
  let kept = "";
  for (const char of input) {
    if ((char >= " " && char <= "~") || char === "\n" || char === "\t") kept += char;
  }
  return kept.trim();
}

function count(input: string, type: "words" | "chars" | "lines"): number {
  if (type === "chars") return codePointLength(input);
  if (type === "words") return input.split(/\s+/).filter((word) => word !== "").length;
  if (input === "") return 0;
  return input.split("\n").length - (input.endsWith("\n") ? 1 : 0);
}
