/**
 * Expressions become a list of steps for a stack machine, so that a long expression needs no deep recursion.
 * Loosest first: `||`, `&&`, `== !=`, `< > <= >=`, `+ -`, `* / %`, unary `- + !`, `^` (right-associative, also `**`).
 */
import { SpellError } from "../../../core/errors.ts";
import { didYouMean } from "../../../core/nearest.ts";
import { FUNCTIONS, type MathFunction } from "./functions.ts";
import { syntaxError, type Token, tokens } from "./tokens.ts";

export type Step =
  | { readonly do: "push"; readonly value: number }
  | { readonly do: "variable"; readonly name: string; readonly at: number }
  | { readonly do: "unary" | "binary"; readonly operator: string }
  | { readonly do: "call"; readonly fn: MathFunction; readonly args: number };

export interface Program {
  readonly steps: readonly Step[];
  /** Operators and function calls. */
  readonly operations: number;
}

const MAX_OPERATIONS = 10_000;
const MAX_DEPTH = 200;

const PRECEDENCE: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "==": 3,
  "!=": 3,
  "<": 4,
  ">": 4,
  "<=": 4,
  ">=": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  "%": 6,
  "^": 8,
};
const UNARY = 7;

/** @throws SpellError invalid_argument with `data.position`, limit */
export function compile(expression: string): Program {
  return new Compiler(expression).compile();
}

class Compiler {
  private readonly source: Generator<Token, void>;
  private token: Token;
  private readonly steps: Step[] = [];
  private operations = 0;
  private depth = 0;

  constructor(expression: string) {
    this.source = tokens(expression);
    this.token = this.source.next().value!;
  }

  compile(): Program {
    this.expression(0);
    if (this.token.kind !== "end") throw this.unexpected();
    return { steps: this.steps, operations: this.operations };
  }

  /** Parses operators that bind tighter than `outer`. */
  private expression(outer: number): void {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw limit("nesting", MAX_DEPTH);
    this.operand();
    for (;;) {
      const operator = this.token.text === "**" ? "^" : this.token.text;
      const precedence = this.token.kind === "symbol" ? PRECEDENCE[operator] : undefined;
      if (precedence === undefined || precedence <= outer) break;
      this.advance();
      this.expression(operator === "^" ? UNARY : precedence);
      this.emit({ do: "binary", operator });
    }
    this.depth -= 1;
  }

  private operand(): void {
    const { kind, text, at } = this.token;
    if (kind === "number") {
      this.advance();
      this.steps.push({ do: "push", value: Number(text) });
    } else if (kind === "name") {
      this.advance();
      if (this.token.text === "(") this.call(text, at);
      else this.steps.push({ do: "variable", name: text, at });
    } else if (text === "(") {
      this.advance();
      this.expression(0);
      this.expect(")");
    } else if (text === "-" || text === "+" || text === "!") {
      this.advance();
      this.expression(UNARY);
      this.emit({ do: "unary", operator: text });
    } else throw this.unexpected();
  }

  private call(name: string, at: number): void {
    const fn = FUNCTIONS.get(name);
    if (fn === undefined) throw unknownName("function", name, at, FUNCTIONS.keys());
    this.expect("(");
    let args = 0;
    while (this.token.text !== ")" || args > 0) {
      this.expression(0);
      args += 1;
      if (this.token.text !== ",") break;
      this.advance();
    }
    this.expect(")");
    if (args < fn.minArgs || args > fn.maxArgs) {
      const most =
        fn.maxArgs === fn.minArgs ? "" : fn.maxArgs === Infinity ? " or more" : ` to ${fn.maxArgs}`;
      throw syntaxError(`${name} takes ${fn.minArgs}${most} arguments and got ${args},`, at);
    }
    this.emit({ do: "call", fn, args });
  }

  private emit(step: Step): void {
    this.operations += 1;
    if (this.operations > MAX_OPERATIONS) throw limit("operations", MAX_OPERATIONS);
    this.steps.push(step);
  }

  private expect(text: string): void {
    if (this.token.text !== text) throw this.unexpected(`, expected '${text}'`);
    this.advance();
  }

  private advance(): void {
    this.token = this.source.next().value!;
  }

  private unexpected(expected = ""): SpellError {
    const { kind, text, at } = this.token;
    return syntaxError(`unexpected ${kind === "end" ? "end" : `'${text.slice(0, 40)}'`}${expected}`, at);
  }
}

export function unknownName(
  kind: "function" | "variable",
  name: string,
  at: number,
  known: Iterable<string>,
): SpellError {
  const hint = didYouMean(name, known) ?? (kind === "variable" ? "Give its value in `variables`" : undefined);
  return new SpellError("invalid_argument", `Unknown ${kind} '${name}' at position ${at + 1}`, {
    data: { name, position: at + 1 },
    ...(hint === undefined ? {} : { hint }),
  });
}

function limit(what: string, allowed: number): SpellError {
  return new SpellError("limit", `Cannot evaluate: ${what} limit of ${allowed} exceeded`, {
    data: { limit: what, allowed },
    hint: "Split the expression",
  });
}
