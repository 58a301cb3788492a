/**
 * The language of conditions: `step.check.output == "ok" and not ($iteration > 3)`. Values are texts, numbers, `true`,
 * `false`, `nil` and references; operators `== != ~= < <= > >= contains`, `and or not` (also `&& || !`), parentheses.
 * There is nothing to call and nothing to change.
 */
import { SpellError } from "../../core/errors.ts";
import { type Token, tokens } from "./tokens.ts";

export const COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "contains"] as const;
export type Comparison = (typeof COMPARISONS)[number];

export type Expression =
  | { readonly type: "value"; readonly value: string | number | boolean | null }
  /** As a placeholder names it: `step.NAME.output`, `input.KEY`, `shared.KEY`, `loop_index`. */
  | { readonly type: "reference"; readonly name: string }
  | {
      readonly type: "compare";
      readonly operator: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly type: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly type: "not"; readonly of: Expression };

const MAX_CHARACTERS = 4096;
const MAX_DEPTH = 64;
const NEXT =
  'Write for example step.NAME.output == "ok", $iteration < 5, shared_data.KEY == "v", or join such terms by and, or, not';

/** @throws SpellError invalid_argument with the column */
export function parseExpression(text: string): Expression {
  if (text.length > MAX_CHARACTERS)
    throw new SpellError(
      "invalid_argument",
      `Cannot read the condition: it must not be longer than ${MAX_CHARACTERS} characters: ${text.length}`,
    );
  return new Parser(text).whole();
}

class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;
  private depth = 0;

  constructor(private readonly text: string) {
    this.tokens = tokens(text, (column, what) => this.failure(column, what));
  }

  whole(): Expression {
    const expression = this.or();
    if (this.peek !== undefined) throw this.unexpected();
    return expression;
  }

  private get peek(): Token | undefined {
    return this.tokens[this.at];
  }

  private take(...words: string[]): string | undefined {
    const token = this.peek;
    if (token?.type !== "operator" || !words.includes(token.text)) return undefined;
    this.at++;
    return token.text;
  }

  private or(): Expression {
    let left = this.and();
    while (this.take("or") !== undefined) left = { type: "or", left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.take("and") !== undefined) left = { type: "and", left, right: this.not() };
    return left;
  }

  private not(): Expression {
    if (this.take("not") === undefined) return this.comparison();
    return this.deeper(() => ({ type: "not", of: this.not() }));
  }

  private comparison(): Expression {
    const left = this.operand();
    const operator = this.take(...COMPARISONS);
    if (operator === undefined) return left;
    return { type: "compare", operator: operator as Comparison, left, right: this.operand() };
  }

  private operand(): Expression {
    const token = this.peek;
    if (token?.type === "operator" && token.text === "(") {
      this.at++;
      const inner = this.deeper(() => this.or());
      if (this.take(")") === undefined) throw this.unexpected('a ")"');
      return inner;
    }
    if (token === undefined || token.type === "operator") throw this.unexpected("a value");
    this.at++;
    return token.type === "value"
      ? { type: "value", value: token.value }
      : { type: "reference", name: token.text };
  }

  private deeper<T>(read: () => T): T {
    if (++this.depth > MAX_DEPTH)
      throw new SpellError(
        "invalid_argument",
        `Cannot read the condition: it must not nest deeper than ${MAX_DEPTH}: ${this.text.slice(0, 60)}`,
      );
    const result = read();
    this.depth--;
    return result;
  }

  private unexpected(wanted?: string): SpellError {
    const token = this.peek;
    const found = token === undefined ? "it ends" : `found "${token.text}"`;
    const where = token?.column ?? this.text.length + 1;
    return this.failure(where, wanted === undefined ? found : `${wanted} is expected, ${found}`);
  }

  private failure(column: number, what: string): SpellError {
    return new SpellError(
      "invalid_argument",
      `Cannot read the condition: ${what} at column ${column}: ${this.text}`,
      { data: { column }, hint: NEXT },
    );
  }
}
