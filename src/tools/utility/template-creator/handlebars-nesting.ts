import type { SpellError } from "../../../core/errors.ts";
import { templateError } from "./values.ts";

const MAX_NESTING = 60;

/**
 * Refuses blocks, `else` chains and subexpressions nested too deep before the parser sees them: its time grows with the
 * square of their depth. Tags in comments count too.
 * @throws SpellError invalid_argument
 */
export function checkNesting(template: string): void {
  /** The `else` tags in each open block. */
  const chains = [0];
  let start = template.indexOf("{{");
  while (start !== -1) {
    const end = template.indexOf("}}", start);
    if (end === -1) return; // the parser says what is wrong
    const tag = template.slice(start, end).replace(/^\{+~?\s*/, "");
    if (tag.startsWith("#") || /^\^\s*\S/.test(tag)) chains.push(0);
    else if (tag.startsWith("/")) chains.pop();
    else if (tag.startsWith("else")) chains.push((chains.pop() ?? 0) + 1);
    if (chains.length > MAX_NESTING) throw tooMany("nested blocks");
    if ((chains.at(-1) ?? 0) > MAX_NESTING) throw tooMany("else tags of one block");
    checkParentheses(tag);
    start = template.indexOf("{{", end + 2);
  }
}

function checkParentheses(tag: string): void {
  let depth = 0;
  for (const char of tag) {
    if (char === "(") depth += 1;
    else if (char === ")") depth -= 1;
    if (depth > MAX_NESTING) throw tooMany("nested subexpressions");
  }
}

function tooMany(what: string): SpellError {
  return templateError(`more than ${MAX_NESTING} ${what}`);
}
