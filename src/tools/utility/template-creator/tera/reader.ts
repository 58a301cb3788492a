import type { SpellError } from "../../../../core/errors.ts";
import { templateError } from "../values.ts";
import type { Token } from "./tokens.ts";

const MAX_DEPTH = 100;

/** Walks over the tokens of a template. */
export class Reader {
  private at = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get token(): Token {
    return this.tokens[this.at]!;
  }

  /** The token after the current one. */
  get next(): Token {
    return this.tokens[this.at + 1] ?? this.token;
  }

  advance(): Token {
    const { token } = this;
    if (token.kind !== "end") this.at += 1;
    return token;
  }

  /** Takes a symbol, if it stands here. */
  take(text: string): boolean {
    const { kind } = this.token;
    if ((kind !== "symbol" && kind !== "close") || this.token.text !== text) return false;
    this.advance();
    return true;
  }

  takeName(text: string): boolean {
    if (this.token.kind !== "name" || this.token.text !== text) return false;
    this.advance();
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) throw this.unexpected(text);
  }

  name(): string {
    if (this.token.kind !== "name") throw this.unexpected("a name");
    return this.advance().text;
  }

  number(): string {
    if (this.token.kind !== "number") throw this.unexpected("a number");
    return this.advance().text;
  }

  nested<T>(body: () => T): T {
    if (this.depth >= MAX_DEPTH)
      throw templateError(`nested deeper than ${MAX_DEPTH} levels`, this.token.line);
    this.depth += 1;
    const result = body();
    this.depth -= 1;
    return result;
  }

  unexpected(expected?: string): SpellError {
    const { kind, text, line } = this.token;
    const what = kind === "end" ? "end of the template" : `'${text.slice(0, 40)}'`;
    return templateError(`unexpected ${what}${expected === undefined ? "" : `, expected ${expected}`}`, line);
  }
}
