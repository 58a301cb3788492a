/** The expression under a cursor, as far as names and the dots between them go. */

export interface NamePath {
  /** The names before the last separator: `{"a", "b"}` of `a.b:c`. */
  owners: string[];
  /** What stands before the cursor of the last name. */
  prefix: string;
  /** Where that begins, in UTF-16 units. */
  start: number;
  /** Where the name under the cursor ends. */
  end: number;
  /** The whole last name, also what stands after the cursor. */
  name: string;
  /** The separator before the last name. */
  separator: "." | ":" | "";
}

const PATH = /(?:[A-Za-z_]\w*\s*[.:]\s*)*[A-Za-z_]?\w*$/;

/** Undefined inside numbers and strings of other expressions (`f().`, `1.`): nothing is known of them. */
export function pathAt(code: string, cursor: number): NamePath | undefined {
  const line = code.slice(code.lastIndexOf("\n", cursor - 1) + 1, cursor);
  const text = PATH.exec(line)![0];
  const before = line.slice(0, line.length - text.length).trimEnd();
  if (/[.:]$/.test(before) && !before.endsWith("..")) return undefined;
  if (/^\d/.test(text)) return undefined;
  const parts = text.split(/\s*[.:]\s*/);
  const prefix = parts.at(-1)!;
  const rest = /^\w*/.exec(code.slice(cursor))![0];
  const separator = (/[.:](?=\s*\w*$)/.exec(text)?.[0] ?? "") as NamePath["separator"];
  const start = cursor - prefix.length;
  return {
    owners: parts.slice(0, -1),
    prefix,
    start,
    end: cursor + rest.length,
    name: prefix + rest,
    separator,
  };
}
