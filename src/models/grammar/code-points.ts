/** Sets of code points (surrogates are none), and how they stand in a JSON string. */
import { oneOf } from "./rules.ts";

/** Ascending ranges that do not touch, both ends included. */
export type CodePoints = readonly (readonly [from: number, to: number])[];

const LAST = 0x10ffff;
const SURROGATES: CodePoints = [[0xd800, 0xdfff]];

export function union(...sets: CodePoints[]): CodePoints {
  const sorted = sets.flat().sort(([a], [b]) => a - b);
  const joined: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

export function complement(set: CodePoints): CodePoints {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [from, to] of union(set, SURROGATES)) {
    if (from > next) gaps.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST) gaps.push([next, LAST]);
  return gaps;
}

export const without = (set: CodePoints, taken: CodePoints): CodePoints =>
  complement(union(complement(set), taken));

export const only = (text: string): CodePoints =>
  union([...text].map((c) => [c.codePointAt(0)!, c.codePointAt(0)!]));

const has = (set: CodePoints, code: number) => set.some(([from, to]) => from <= code && code <= to);

/** Code points that a JSON string may hold only escaped. */
export const ESCAPED: CodePoints = union([[0, 0x1f]], only('"\\'));

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** GBNF for one character of the set within a JSON string. */
export function jsonCharacter(set: CodePoints): string {
  const plain = without(set, ESCAPED);
  const alternatives = plain.length === 0 ? [] : [characterClass(plain)];
  for (let code = 0; code < 0x80; code++) {
    if (!has(ESCAPED, code) || !has(set, code)) continue;
    const short = SHORT[String.fromCharCode(code)] ?? `\\u${code.toString(16).padStart(4, "0")}`;
    alternatives.push(`"${short.replace(/[\\"]/g, "\\$&")}"`);
  }
  return oneOf(alternatives);
}

export function characterClass(set: CodePoints): string {
  return `[${set.map(([from, to]) => (from === to ? escaped(from) : `${escaped(from)}-${escaped(to)}`)).join("")}]`;
}

function escaped(code: number): string {
  const character = String.fromCodePoint(code);
  return /[0-9A-Za-z]/.test(character) ? character : `\\U${code.toString(16).padStart(8, "0")}`;
}
