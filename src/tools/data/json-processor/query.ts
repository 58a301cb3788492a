/** Which jq programs may run. jq's own binder decides what a name means, so `.input` or `def env: 1; env` are fine. */
import { SpellError } from "../../../core/errors.ts";

/** jq ends with this code when a program calls a blocked function; `try` cannot catch it. */
export const REFUSED_EXIT_CODE = 86;

const BLOCKED = ["env", "input", "inputs", "input_filename", "input_line_number", "debug", "modulemeta"];
/** In jq's manual up to 1.7; this build no longer has it. */
const LEAF_PATHS = "def leaf_paths: paths(scalars);";
const PRELUDE = [...BLOCKED, "debug(m)"]
  .map((head) => `def ${head}: "${head}" | halt_error(${REFUSED_EXIT_CODE});`)
  .join(" ");

/**
 * The program with the blocked builtins shadowed.
 * @throws SpellError permission_denied for modules and `$ENV`
 */
export function guarded(query: string): string {
  const start = afterSpace(query, 0);
  if (start === query.length) return ".";
  const word = /^[a-z]+\b/.exec(query.slice(start, start + 16))?.[0];
  if (word === "import" || word === "include" || word === "module") throw refused(word);
  if (usesEnvironment(query)) throw refused("$ENV");
  return `${PRELUDE} ${LEAF_PATHS} ${query}`;
}

function refused(what: string): SpellError {
  return new SpellError(
    "permission_denied",
    `Security violation: The query uses a blocked feature: ${what}`,
    {
      hint: "Queries see their input only: no environment, further inputs, modules or debug output",
    },
  );
}

/** The offset behind white space and comments. */
function afterSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    while (at < text.length && " \t\r\n".includes(text[at]!)) at++;
    if (text[at] !== "#") return at;
    while (at < text.length && text[at] !== "\n") at++;
  }
}

/** Looks for the variable `$ENV` in code, not in strings or comments; code inside `\( )` of a string counts. */
function usesEnvironment(text: string): boolean {
  /** Open parentheses in each string interpolation we are in, innermost last. */
  const interpolations: number[] = [];
  let inString = false;
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (inString) {
      if (char === "\\" && text[at + 1] === "(") {
        interpolations.push(0);
        inString = false;
      } else if (char === '"') inString = false;
      at += char === "\\" ? 2 : 1;
      continue;
    }
    if (char === "#") {
      at = afterSpace(text, at);
      continue;
    }
    if (char === '"') inString = true;
    else if (char === "(" && interpolations.length > 0) interpolations[interpolations.length - 1]! += 1;
    else if (char === ")" && interpolations.length > 0) {
      if (interpolations.at(-1) === 0) {
        interpolations.pop();
        inString = true;
      } else interpolations[interpolations.length - 1]! -= 1;
    } else if (char === "$") {
      const name = afterSpace(text, at + 1);
      if (/^ENV(?![A-Za-z0-9_]|::)/.test(text.slice(name, name + 6))) return true;
    }
    at++;
  }
  return false;
}
