const SPACE = /[ \t\n\r]*/y;
const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings may not hold them
  /([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9.])|true\b|false\b|null\b/y;

type Expected = "value" | "value or ]" | "key" | "key or }" | ":" | "next" | "end";

/** Where text that is not JSON stops being JSON: an offset in UTF-16 units. The runtime's parser does not tell. */
export function jsonErrorOffset(text: string): number {
  const open: string[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; at = TOKEN.lastIndex) {
    SPACE.lastIndex = at;
    SPACE.test(text);
    const start = SPACE.lastIndex;
    TOKEN.lastIndex = start;
    const match = TOKEN.exec(text);
    if (match === null) return start;
    const next = step(expected, match[1] ?? (match[2] === undefined ? "scalar" : "string"), open);
    if (next === undefined) return start;
    expected = next;
  }
}

/** What may follow a token; undefined where the token must not stand. Keeps `open`, the brackets still to be closed. */
function step(expected: Expected, token: string, open: string[]): Expected | undefined {
  const closes = (bracket: string) => token === bracket && open.pop() !== undefined;
  const afterValue = (): Expected => (open.length === 0 ? "end" : "next");
  switch (expected) {
    case "key":
    case "key or }":
      if (token === "string") return ":";
      return expected === "key or }" && closes("}") ? afterValue() : undefined;
    case ":":
      return token === ":" ? "value" : undefined;
    case "next":
      if (token === ",") return open.at(-1) === "{" ? "key" : "value";
      return closes(open.at(-1) === "{" ? "}" : "]") ? afterValue() : undefined;
    case "value":
    case "value or ]":
      if (token === "{" || token === "[") {
        open.push(token);
        return token === "{" ? "key or }" : "value or ]";
      }
      if (token === "string" || token === "scalar") return afterValue();
      return expected === "value or ]" && closes("]") ? afterValue() : undefined;
    case "end":
      return undefined;
  }
}
