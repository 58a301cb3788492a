import { cannotConvert } from "./failure.ts";

/**
 * llama.cpp ends the process on tokens that are the same to it: as UTF-8, up to a zero byte.
 * @throws SpellError model_invalid
 */
export function refuseEqualTokens(tokens: readonly string[], directory: string): void {
  const seen = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (token.includes("\0")) throw cannotConvert(`its token ${id} has a zero byte`, directory);
    const text = token.toWellFormed();
    const other = seen.get(text);
    if (other !== undefined)
      throw cannotConvert(`its tokens ${other} and ${id} are both "${text}"`, directory);
    seen.set(text, id);
  });
}
