/** The token count of scripted answers: a word, a number or any other single character is one token. */
const TOKEN = /\s*(?:[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}])|\s+$/gu;

/** The text cut into tokens, white space with the token that follows it. Joined, they give the text again. */
export function tokensOf(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

export function countTokens(text: string): number {
  return tokensOf(text).length;
}

export function takeTokens(text: string, count: number): string {
  const tokens = tokensOf(text);
  return tokens.length <= count ? text : tokens.slice(0, count).join("");
}

/** The text before the first stop sequence in it. */
export function cutAtStop(text: string, stops: readonly string[]): string {
  const ends = stops.map((stop) => (stop === "" ? -1 : text.indexOf(stop))).filter((at) => at !== -1);
  return text.slice(0, Math.min(text.length, ...ends));
}
