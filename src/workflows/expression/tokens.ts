export type Token =
  | {
      readonly type: "value";
      readonly value: string | number | boolean | null;
      readonly text: string;
      readonly column: number;
    }
  | { readonly type: "reference"; readonly text: string; readonly column: number }
  | { readonly type: "operator"; readonly text: string; readonly column: number };

const SPACE = /\s+/y;
const NUMBER = /-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y;
const TEXT = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y;
const OPERATOR = /==|!=|~=|<=|>=|&&|\|\||[<>!()]/y;
const PLACEHOLDER = /\{\{([^{}]+)\}\}/y;
/** Parts are joined by a point or a colon; a name may hold hyphens, and a part may be in quotes: `step."my step".output`. */
const REFERENCE = /\$?[A-Za-z_][\w-]*(?:[.:](?:[\w-]+|"[^"]*"))*/y;

const WORDS: Readonly<Record<string, string>> = { and: "and", or: "or", not: "not", contains: "contains" };
const SAME: Readonly<Record<string, string>> = { "~=": "!=", "&&": "and", "||": "or", "!": "not" };
const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  true: true,
  false: false,
  nil: null,
  null: null,
};
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

export function tokens(text: string, failure: (column: number, what: string) => Error): Token[] {
  const found: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const result = pattern.exec(text) ?? undefined;
    if (result !== undefined) at = pattern.lastIndex;
    return result;
  };
  while (at < text.length) {
    if (match(SPACE) !== undefined) continue;
    const column = at + 1;
    const number = match(NUMBER)?.[0];
    const quoted = number === undefined ? match(TEXT)?.[0] : undefined;
    if (number !== undefined) found.push({ type: "value", value: Number(number), text: number, column });
    else if (quoted !== undefined)
      found.push({ type: "value", value: unquoted(quoted), text: quoted, column });
    else {
      const operator = match(OPERATOR)?.[0];
      const reference =
        operator === undefined ? (match(PLACEHOLDER)?.[1]?.trim() ?? match(REFERENCE)?.[0]) : undefined;
      if (operator !== undefined) found.push({ type: "operator", text: SAME[operator] ?? operator, column });
      else if (reference === undefined)
        throw failure(column, `"${text[at]}" begins no value, name or operator`);
      else found.push(wordOf(reference, column));
    }
  }
  return found;
}

function wordOf(word: string, column: number): Token {
  if (Object.hasOwn(CONSTANTS, word)) return { type: "value", value: CONSTANTS[word]!, text: word, column };
  if (Object.hasOwn(WORDS, word)) return { type: "operator", text: WORDS[word]!, column };
  return { type: "reference", text: word.replaceAll('"', ""), column };
}

const unquoted = (text: string): string =>
  text.slice(1, -1).replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter);
