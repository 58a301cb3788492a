/** Words of a command line: parted by blanks, kept together by quotes; a backslash takes the next character as it is. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  const pattern = /(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|\S)+/gs;
  for (const [word] of text.matchAll(pattern)) {
    words.push(
      word.replace(
        /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
        (_, escaped, double, single) =>
          escaped ?? (double === undefined ? single : double.replace(/\\(.)/gs, "$1")),
      ),
    );
  }
  return words;
}
