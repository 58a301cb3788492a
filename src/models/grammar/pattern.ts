/** A `pattern` (ECMAScript, unanchored unless it says so) as GBNF for the JSON strings that it finds something in. */
import { type CodePoints, complement, jsonCharacter, only, union } from "./code-points.ts";
import { MAX_REPETITIONS, oneOf, type Rules, repeat } from "./rules.ts";

/** Said of a pattern that is outside the supported part. */
export class UnsupportedPattern extends Error {}

type Part =
  | { set: CodePoints }
  | { sequence: Part[] }
  | { choice: Part[] }
  | { part: Part; least: number; most: number };

const LINE_ENDS = only("\n\r\u2028\u2029");
const DIGIT: CodePoints = [[0x30, 0x39]];
const WORD = union(DIGIT, [[0x41, 0x5a]], [[0x61, 0x7a]], only("_"));
const SPACE = union(only("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), [[0x2000, 0x200a]]);
const CLASSES: Readonly<Record<string, CodePoints>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v", "0": "\0" };
const ANY: Part = { part: { set: complement([]) }, least: 0, most: Number.POSITIVE_INFINITY };
const MAX_DEPTH = 50;

export interface PatternGrammar {
  /** GBNF of the characters between the quotes. */
  body: string;
  /** Characters that a text has at least and at most. */
  least: number;
  most: number;
}

/** @throws UnsupportedPattern with the reason */
export function patternGrammar(pattern: string, rules: Rules): PatternGrammar {
  try {
    new RegExp(pattern, "u");
  } catch {
    throw new UnsupportedPattern("is no regular expression"); // what the engine says repeats the pattern
  }
  const whole = new PatternReader(pattern).read();
  const { least, most } = lengthOf(whole);
  return { body: emit(whole, rules), least, most };
}

class PatternReader {
  private readonly characters: string[];
  private at = 0;

  constructor(pattern: string) {
    this.characters = [...pattern];
  }

  read(): Part {
    const choice = [this.anchored()];
    while (this.take("|")) choice.push(this.anchored());
    if (this.at < this.characters.length)
      throw new UnsupportedPattern(`cannot hold "${this.characters[this.at]}" here`);
    return { choice };
  }

  /** An alternative of the whole pattern: where it is not anchored, anything may come before and after it. */
  private anchored(): Part {
    const starts = this.take("^");
    const sequence = this.sequence(0);
    const ends = this.take("$");
    return { sequence: [...(starts ? [] : [ANY]), ...sequence, ...(ends ? [] : [ANY])] };
  }

  private sequence(depth: number): Part[] {
    if (depth > MAX_DEPTH) throw new UnsupportedPattern("is nested too deep");
    const parts: Part[] = [];
    while (this.at < this.characters.length && !"|)$".includes(this.peek())) parts.push(this.repeated(depth));
    return parts;
  }

  private repeated(depth: number): Part {
    const part = this.atom(depth);
    const count = this.quantifier();
    if (count === undefined) return part;
    const [least, most] = count;
    if (least > MAX_REPETITIONS)
      throw new UnsupportedPattern(`repeats a part more than ${MAX_REPETITIONS} times`);
    if (most > 1 && lengthOf(part).least === 0)
      throw new UnsupportedPattern("repeats a part that may be empty");
    const bounded = most !== Number.POSITIVE_INFINITY && most > MAX_REPETITIONS ? MAX_REPETITIONS : most;
    return { part, least, most: bounded };
  }

  private quantifier(): [number, number] | undefined {
    let count: [number, number] | undefined;
    if (this.take("*")) count = [0, Number.POSITIVE_INFINITY];
    else if (this.take("+")) count = [1, Number.POSITIVE_INFINITY];
    else if (this.take("?")) count = [0, 1];
    else if (this.take("{")) {
      const [least = "", most] = this.until("}").split(",");
      count = [
        Number(least),
        most === undefined ? Number(least) : most === "" ? Number.POSITIVE_INFINITY : Number(most),
      ];
    }
    if (count !== undefined) this.take("?"); // lazy: it finds the same texts
    return count;
  }

  private atom(depth: number): Part {
    const character = this.next();
    switch (character) {
      case ".":
        return { set: complement(LINE_ENDS) };
      case "[":
        return { set: this.characterClass() };
      case "(":
        return this.group(depth);
      case "^":
        throw new UnsupportedPattern('has "^" inside');
      case "\\":
        return { set: this.escape() };
      default:
        return { set: only(character) };
    }
  }

  private group(depth: number): Part {
    if (this.take("?")) {
      const kind = this.next();
      if (kind === "<" && !"=!".includes(this.peek())) this.until(">");
      else if (kind !== ":") throw new UnsupportedPattern("looks around or sets flags");
    }
    const choice: Part[] = [{ sequence: this.sequence(depth + 1) }];
    while (this.take("|")) choice.push({ sequence: this.sequence(depth + 1) });
    if (!this.take(")")) throw new UnsupportedPattern('has "$" inside');
    return { choice };
  }

  private characterClass(): CodePoints {
    const isNegated = this.take("^");
    let set: CodePoints = [];
    while (!this.take("]")) {
      const from = this.member();
      const isRange = this.peek() === "-" && this.characters[this.at + 1] !== "]";
      if (!isRange) {
        set = union(set, from);
        continue;
      }
      this.next();
      const to = this.member();
      set = union(set, [[from[0]![0], to[0]![1]]]);
    }
    return isNegated ? complement(set) : set;
  }

  private member(): CodePoints {
    const character = this.next();
    if (character !== "\\") return only(character);
    if (this.take("b")) return only("\b");
    return this.escape();
  }

  private escape(): CodePoints {
    const character = this.next();
    const known = CLASSES[character];
    if (known !== undefined) return known;
    const control = CONTROLS[character];
    if (control !== undefined) return only(control);
    if (character === "x") return only(String.fromCodePoint(Number.parseInt(this.next() + this.next(), 16)));
    if (character === "u") return this.unicodeEscape();
    if (character === "c") return only(String.fromCodePoint(this.next().charCodeAt(0) % 32));
    if (/[bBkpP1-9]/.test(character)) throw new UnsupportedPattern(`cannot hold "\\${character}"`);
    return only(character);
  }

  private unicodeEscape(): CodePoints {
    const digits = this.take("{") ? this.until("}") : this.next() + this.next() + this.next() + this.next();
    const code = Number.parseInt(digits, 16);
    if (code >= 0xd800 && code <= 0xdfff) throw new UnsupportedPattern("names half a character");
    return only(String.fromCodePoint(code));
  }

  private peek(): string {
    return this.characters[this.at] ?? "";
  }

  private next(): string {
    return this.characters[this.at++] ?? "";
  }

  private take(character: string): boolean {
    if (this.peek() !== character) return false;
    this.at++;
    return true;
  }

  private until(end: string): string {
    let text = "";
    while (this.at < this.characters.length && this.peek() !== end) text += this.next();
    this.at++;
    return text;
  }
}

function lengthOf(part: Part): { least: number; most: number } {
  if ("set" in part) return { least: 1, most: 1 };
  if ("part" in part) {
    const one = lengthOf(part.part);
    return {
      least: one.least * part.least,
      most: one.most === 0 || part.most === 0 ? 0 : one.most * part.most,
    };
  }
  if ("sequence" in part) {
    const lengths = part.sequence.map(lengthOf);
    return { least: sum(lengths.map((l) => l.least)), most: sum(lengths.map((l) => l.most)) };
  }
  const lengths = part.choice.map(lengthOf);
  return { least: Math.min(...lengths.map((l) => l.least)), most: Math.max(...lengths.map((l) => l.most)) };
}

const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);

function emit(part: Part, rules: Rules): string {
  if ("set" in part) {
    if (part.set.length === 0) throw new UnsupportedPattern("has a class of no characters");
    return jsonCharacter(part.set);
  }
  if ("part" in part) return repeat(rules.add(emit(part.part, rules)), part.least, part.most);
  if ("choice" in part) return oneOf(part.choice.map((one) => emit(one, rules)));
  return part.sequence.length === 0 ? '""' : part.sequence.map((one) => emit(one, rules)).join(" ");
}
