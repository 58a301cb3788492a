/** GBNF for JSON strings: any, of a length, of a pattern, of a format. */
import { type CodePoints, characterClass, complement, ESCAPED, only, union, without } from "./code-points.ts";
import { patternGrammar, UnsupportedPattern } from "./pattern.ts";
import { refusal, Unmeetable } from "./refusal.ts";
import { MAX_REPETITIONS, oneOf, type Rules, repeat } from "./rules.ts";

/** Half a surrogate pair is no character, so escapes name none: one escape is one character. */
const ESCAPE = `"\\\\" (["\\\\/bfnrt] | "u" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))`;
const PLAIN: CodePoints = complement(union(ESCAPED, [[0x7f, 0x7f]]));

const MONTH_DAY = `("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]) | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])`;
const DATE = `[0-9]{4} "-" (${MONTH_DAY})`;
const CLOCK = `([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?`;
const ZONE = `("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])`;
const LABEL = "[a-z] ([a-z0-9-]{0,30} [a-z0-9])?";
const HOST = `${LABEL} ("." ${LABEL}){1,3}`;
const OCTET = `("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9]? [0-9])`;
const HEX = "[0-9a-f]";

/** Values of `format` that are held; the text between the quotes, and its length. */
const FORMATS: Readonly<Record<string, { body: string; least: number; most: number }>> = {
  date: { body: DATE, least: 10, most: 10 },
  time: { body: `${CLOCK} ${ZONE}`, least: 9, most: 21 },
  "date-time": { body: `${DATE} "T" ${CLOCK} ${ZONE}`, least: 20, most: 32 },
  uuid: { body: `${HEX}{8} ("-" ${HEX}{4}){3} "-" ${HEX}{12}`, least: 36, most: 36 },
  ipv4: { body: `${OCTET} ("." ${OCTET}){3}`, least: 7, most: 15 },
  hostname: { body: HOST, least: 3, most: 131 },
  email: { body: `[a-z0-9] ([a-z0-9_+-]{0,30} [a-z0-9])? "@" ${HOST}`, least: 5, most: 164 },
  uri: { body: `"https://" ${HOST} ("/" [A-Za-z0-9_.~-]{1,30}){0,8}`, least: 11, most: 387 },
};

export const STRING_FORMATS = Object.keys(FORMATS);

export interface StringLimits {
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
}

/** @throws SpellError invalid_argument for what cannot be held, Unmeetable */
export function strings(limits: StringLimits, path: string, rules: Rules): string {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = limits;
  if (minLength > maxLength) throw new Unmeetable(path);
  if (pattern !== undefined && format !== undefined)
    throw refusal("format", path, 'cannot be held beside "pattern"');
  if (pattern === undefined && format === undefined) {
    if (minLength > MAX_REPETITIONS)
      throw refusal("minLength", path, `is held up to ${MAX_REPETITIONS} only`);
    const most = maxLength === Number.POSITIVE_INFINITY ? maxLength : Math.min(maxLength, MAX_REPETITIONS);
    return quoted(repeat(character(rules), minLength, most));
  }
  const { body, least, most } =
    pattern === undefined ? knownFormat(format!, path) : heldPattern(pattern, path, rules);
  if (least > maxLength || most < minLength) throw new Unmeetable(path);
  if (least < minLength)
    throw refusal(
      "minLength",
      path,
      `cannot be held beside a ${pattern === undefined ? "format" : "pattern"} that allows less`,
    );
  if (most > maxLength)
    throw refusal(
      "maxLength",
      path,
      `cannot be held beside a ${pattern === undefined ? "format" : "pattern"} that allows more`,
    );
  return quoted(`(${body})`);
}

function knownFormat(format: string, path: string) {
  const known = FORMATS[format];
  if (known === undefined) throw refusal("format", path, `is not held for "${format}"`);
  return known;
}

function heldPattern(pattern: string, path: string, rules: Rules) {
  try {
    return patternGrammar(pattern, rules);
  } catch (error) {
    if (error instanceof UnsupportedPattern) throw refusal("pattern", path, error.message);
    throw error;
  }
}

export const character = (rules: Rules): string => rules.add(`${characterClass(PLAIN)} | ${ESCAPE}`);

export const quoted = (body: string): string => `"\\"" ${body} "\\""`;

/**
 * A key that is none of the names. It has no escapes: `"\u0061"` would be another spelling of the name `a`.
 */
export function keyBut(names: readonly string[], rules: Rules): string {
  const any = rules.add(characterClass(PLAIN));
  const rest = (tails: readonly string[][]): string => {
    const byFirst = new Map<string, string[][]>();
    for (const [first, ...tail] of tails)
      if (first !== undefined) byFirst.set(first, [...(byFirst.get(first) ?? []), tail]);
    const others = without(PLAIN, only([...byFirst.keys()].join("")));
    const alternatives = tails.some((tail) => tail.length === 0) ? [] : ['""'];
    alternatives.push(`${characterClass(others)} ${any}*`);
    for (const [first, below] of byFirst)
      if (without(only(first), PLAIN).length === 0)
        alternatives.push(`${characterClass(only(first))} ${rules.add(rest(below))}`);
    return oneOf(alternatives);
  };
  return names.length === 0 ? `${any}*` : rest(names.map((name) => [...name]));
}
