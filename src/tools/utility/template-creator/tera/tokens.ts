import { templateError } from "../values.ts";

export interface Token {
  /** `text` is literal output; `open` and `close` are `{{ {% }} %}`; `end` is the end of the template. */
  readonly kind: "text" | "open" | "close" | "name" | "number" | "string" | "symbol" | "end";
  readonly text: string;
  readonly line: number;
}

const NEXT_TAG = /\{[{%#]/g;
const RAW = /\{%-?\s*raw\s*(-?)%\}/y;
const END_RAW = /\{%(-?)\s*endraw\s*(-?)%\}/g;
const SPACE = /\s*/y;
const INSIDE: readonly [Token["kind"], RegExp][] = [
  ["close", /-?[}%]\}/y],
  ["name", /[A-Za-z_][A-Za-z0-9_]*/y],
  ["number", /[0-9]+(?:\.[0-9]+)?/y],
  ["string", /"[^"]*"|'[^']*'|`[^`]*`/y],
  ["symbol", /::|==|!=|<=|>=|[-+*/%~|.,:()[\]<>=]/y],
];

/** The tokens of a template. A `-` inside a tag's braces trims the white space on that side. */
export function tokenize(template: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let countedTo = 0;
  let trimStart = false;

  const push = (kind: Token["kind"], text: string, offset: number) => {
    for (let i = countedTo; i < offset; i++) if (template.charCodeAt(i) === 10) line++;
    countedTo = Math.max(countedTo, offset);
    tokens.push({ kind, text, line });
  };
  const pushText = (text: string, trimEnd: boolean, offset: number) => {
    let trimmed = trimStart ? text.trimStart() : text;
    if (trimEnd) trimmed = trimmed.trimEnd();
    if (trimmed !== "") push("text", trimmed, offset);
    trimStart = false;
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(template);
  };

  while (at < template.length) {
    const start = match(NEXT_TAG)?.index ?? template.length;
    const trims = template[start + 2] === "-";
    pushText(template.slice(at, start), trims, at);
    if (start === template.length) break;
    at = start;
    if (template[start + 1] === "#") comment(start);
    else if (!raw()) tag(start, trims);
  }
  push("end", "", template.length);
  return tokens;

  function comment(start: number): void {
    const end = template.indexOf("#}", start + 2);
    if (end === -1) throw templateError("a comment has no end", line);
    trimStart = template[end - 1] === "-";
    at = end + 2;
  }

  function raw(): boolean {
    const open = match(RAW);
    if (open === null) return false;
    at += open[0].length;
    const close = match(END_RAW);
    if (close === null) throw templateError("'raw' has no 'endraw'", line);
    trimStart = open[1] === "-";
    pushText(template.slice(at, close.index), close[1] === "-", at);
    trimStart = close[2] === "-";
    at = close.index + close[0].length;
    return true;
  }

  function tag(start: number, trims: boolean): void {
    push("open", template.slice(start, start + 2), start);
    at = start + (trims ? 3 : 2);
    for (;;) {
      at += match(SPACE)![0].length;
      const found = INSIDE.map(([kind, pattern]) => [kind, match(pattern)?.[0]] as const).find(
        ([, text]) => text,
      );
      if (found === undefined) {
        const rest = template.slice(at, at + 10).split("\n")[0];
        throw templateError(rest ? `unexpected '${rest}'` : "a tag has no end", line);
      }
      const [kind, text] = found as [Token["kind"], string];
      push(kind, kind === "close" ? text.slice(-2) : text, at);
      at += text.length;
      if (kind === "close") {
        trimStart = text.startsWith("-");
        return;
      }
    }
  }
}
