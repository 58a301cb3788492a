/** Rules of a GBNF grammar under names of their own; equal bodies share one. */
import { refusal } from "./refusal.ts";

/** Most often that one part may be repeated. */
export const MAX_REPETITIONS = 2000;
const MAX_CHARACTERS = 4_000_000;

export class Rules {
  private readonly names = new Map<string, string>();
  private readonly bodies = new Map<string, string>();
  private characters = 0;
  private count = 0;

  /** @returns the rule's name */
  add(body: string): string {
    const known = this.names.get(body);
    if (known !== undefined) return known;
    const name = this.reserve();
    this.names.set(body, name);
    this.define(name, body);
    return name;
  }

  /** A name whose rule is defined later, for references in cycles. */
  reserve(): string {
    return `spell-${this.count++}`;
  }

  /** @throws SpellError invalid_argument when the grammar grows beyond every measure */
  define(name: string, body: string): void {
    this.bodies.set(name, body);
    this.characters += body.length;
    if (this.characters > MAX_CHARACTERS) throw refusal("$schema", "#", "is too large for a grammar");
  }

  toString(): string {
    return [...this.bodies].map(([name, body]) => `${name} ::= ${body}\n`).join("");
  }
}

/** GBNF for exactly this text. */
export function literal(text: string): string {
  const escaped = text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r");
  return `"${escaped}"`;
}

/** GBNF for `least` to `most` of a rule; an infinite `most` is no limit. */
export function repeat(rule: string, least: number, most: number): string {
  if (most === 0) return '""';
  if (most === Number.POSITIVE_INFINITY)
    return least === 0 ? `${rule}*` : least === 1 ? `${rule}+` : `${rule}{${least},}`;
  if (least === 0 && most === 1) return `${rule}?`;
  return least === most ? (least === 1 ? rule : `${rule}{${least}}`) : `${rule}{${least},${most}}`;
}

/** GBNF for one of several; each is a sequence. */
export function oneOf(alternatives: readonly string[]): string {
  return alternatives.length === 1 ? alternatives[0]! : `(${alternatives.join(" | ")})`;
}
