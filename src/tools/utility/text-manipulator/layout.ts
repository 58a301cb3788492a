/** Operations on lines, as Python's textwrap does them. */
import { capitalise } from "./words.ts";

/** Lines of white space alone stay as they are. */
export function indent(text: string, spaces: number): string {
  const margin = " ".repeat(spaces);
  return mapLines(text, (line) => (line.trim() === "" ? line : margin + line));
}

/** Removes the white space that all lines begin with; lines of white space alone become empty and do not count. */
export function dedent(text: string): string {
  let margin: string | undefined;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const space = line.slice(0, line.length - line.trimStart().length);
    margin = margin === undefined ? space : commonPrefix(margin, space);
  }
  const width = margin?.length ?? 0;
  return mapLines(text, (line) => (line.trim() === "" ? "" : line.slice(width)));
}

/** Breaks each line at white space so that none has more than `width` code points; longer words stay whole. */
export function wordWrap(text: string, width: number): string {
  return mapLines(text, (line) => {
    const lines: string[] = [];
    let current = "";
    let length = 0;
    for (const word of line.split(/\s+/)) {
      if (word === "") continue;
      const wordLength = codePointLength(word);
      if (length > 0 && length + 1 + wordLength > width) {
        lines.push(current);
        current = word;
        length = wordLength;
      } else {
        current = length === 0 ? word : `${current} ${word}`;
        length += wordLength + (length === 0 ? 0 : 1);
      }
    }
    lines.push(current);
    return lines.join("\n");
  });
}

export function titlecase(text: string): string {
  return text
    .split(/(\s+)/)
    .map((part) => capitalise(part))
    .join("");
}

export function codePointLength(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function mapLines(text: string, change: (line: string) => string): string {
  return text.split("\n").map(change).join("\n");
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
