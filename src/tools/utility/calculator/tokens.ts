import { SpellError } from "../../../core/errors.ts";

export interface Token {
  readonly kind: "number" | "name" | "symbol" | "end";
  readonly text: string;
  /** Offset of the first character, from 0. */
  readonly at: number;
}

const SYMBOLS = ["&&", "||", "==", "!=", "<=", ">=", "**", ..."+-*/%^<>!(),"];
const SPACE = /\s*/y;
const NUMBER = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

export function syntaxError(message: string, at: number): SpellError {
  return new SpellError("invalid_argument", `Invalid expression: ${message} at position ${at + 1}`, {
    data: { position: at + 1 },
    hint: "Write for example (2 + 3) * sqrt(16); the operation `functions` lists what there is",
  });
}

/** The tokens of an expression one after the other; the last is `end`. */
export function* tokens(text: string): Generator<Token, void> {
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  for (;;) {
    at += match(SPACE)!.length;
    if (at === text.length) break;
    const token = next();
    yield token;
    at += token.text.length;
  }
  yield { kind: "end", text: "", at };

  function next(): Token {
    const number = match(NUMBER);
    if (number !== undefined) return { kind: "number", text: number, at };
    const name = match(NAME);
    if (name !== undefined) return { kind: "name", text: name, at };
    const symbol = SYMBOLS.find((s) => text.startsWith(s, at));
    if (symbol !== undefined) return { kind: "symbol", text: symbol, at };
    throw syntaxError(`unexpected character '${String.fromCodePoint(text.codePointAt(at)!)}'`, at);
  }
}
