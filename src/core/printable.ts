/** Characters that move a terminal's cursor, change its colours or turn the direction of text; not line feed and tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

const escaped = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** A text of unknown origin, for a terminal. Its lines stay. */
export const printable = (text: string): string => text.replace(CONTROL, escaped);

/** The same in one line, for a part of a sentence. */
export const printableLine = (text: string): string =>
  printable(text).replace(/[\n\t\u2028\u2029]/g, escaped);
