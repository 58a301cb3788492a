/** Whether a typed input is whole, and how it is run: what prompts and notebooks ask before they execute. */
import { syntaxError } from "../../engine/lua/syntax.ts";

export interface Completeness {
  state: "complete" | "incomplete" | "invalid";
  /** What a further line of an incomplete input may begin with. */
  indent: string;
}

/**
 * The test of Lua's own prompt (lua.c): an input is unfinished when its syntax error stands at the end of the text. The
 * line's end belongs to the text, since no further line helps a short string that is open.
 */
export function completeness(code: string): Completeness {
  const asExpression = syntaxError(`${expression(code)}\n`);
  if (asExpression === undefined) return { state: "complete", indent: "" };
  const asChunk = syntaxError(`${code}\n`);
  if (asChunk === undefined) return { state: "complete", indent: "" };
  if (isAtEnd(asExpression) || isAtEnd(asChunk)) return { state: "incomplete", indent: indentAfter(code) };
  return { state: "invalid", indent: "" };
}

/** As the VM first tries it. */
const expression = (code: string) => `return ${code}`;

const isAtEnd = (message: string) => message.endsWith("<eof>");

const OPENS = /(?:\b(?:do|then|else|repeat|function\s*[\w.:]*\s*\([^()]*\))|[({])\s*$/;

function indentAfter(code: string): string {
  const line = code.slice(code.lastIndexOf("\n") + 1);
  const own = /^[ \t]*/.exec(line)![0];
  return OPENS.test(line) ? `${own}  ` : own;
}
