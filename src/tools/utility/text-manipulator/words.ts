/** Words of an identifier or a phrase, for the case conversions. */

const isLetter = (char: string): boolean => char.toLowerCase() !== char.toUpperCase();
const isUpper = (char: string): boolean => isLetter(char) && char === char.toUpperCase();
const isDigit = (char: string): boolean => char >= "0" && char <= "9";
const isWordPart = (char: string): boolean =>
  isLetter(char) || isDigit(char) || /^[\p{L}\p{N}\p{M}]$/u.test(char);

/** `parseHTTPResponse_v2 ok` → parse, HTTP, Response, v2, ok. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  const end = () => {
    if (word !== "") words.push(word);
    word = "";
  };
  let before = "";
  const chars = [...text];
  for (const [i, char] of chars.entries()) {
    if (!isWordPart(char)) end();
    else {
      const after = chars[i + 1] ?? "";
      const startsWord = isUpper(char) && (!isUpper(before) || (isLetter(after) && !isUpper(after)));
      if (startsWord && !isDigitRun(before, after)) end();
      word += char;
    }
    before = char;
  }
  end();
  return words;
}

/** `A1B2`: capitals among digits belong together. */
function isDigitRun(before: string, after: string): boolean {
  return isDigit(before) && isDigit(after);
}

export function capitalise(text: string): string {
  const first = text.codePointAt(0);
  if (first === undefined) return "";
  const head = String.fromCodePoint(first);
  return head.toUpperCase() + text.slice(head.length).toLowerCase();
}
