import { existsSync } from "node:fs";
import { join } from "node:path";
import { cannotConvert } from "./failure.ts";
import { isObject, readJsonObject } from "./json-file.ts";

export interface AddedToken {
  id: number;
  text: string;
  /** Marks something, as `</s>` does, rather than being text. */
  isSpecial: boolean;
}

/**
 * Tokens that a tokenizer has besides its model's, from `tokenizer.json` or the older `added_tokens.json`.
 * @throws SpellError io, model_invalid
 */
export function addedTokens(directory: string, vocabularySize: number): AddedToken[] {
  const current = join(directory, "tokenizer.json");
  const older = join(directory, "added_tokens.json");
  const tokens = existsSync(current) ? fromTokenizer(current) : existsSync(older) ? fromList(older) : [];
  return tokens.map(({ id, text, isSpecial }) => {
    if (typeof text !== "string" || text === "" || !Number.isInteger(id) || (id as number) < 0)
      throw cannotConvert(
        `an added token is not a text and a number: ${JSON.stringify([text, id])}`,
        directory,
      );
    if ((id as number) >= vocabularySize)
      throw cannotConvert(`the added token "${text}" is number ${id} of ${vocabularySize}`, directory);
    return { id: id as number, text, isSpecial };
  });
}

interface Stated {
  id: unknown;
  text: unknown;
  isSpecial: boolean;
}

function fromTokenizer(path: string): Stated[] {
  const { added_tokens: tokens } = readJsonObject(path);
  if (!Array.isArray(tokens)) return [];
  return tokens
    .filter(isObject)
    .map(({ id, content, special }) => ({ id, text: content, isSpecial: special === true }));
}

function fromList(path: string): Stated[] {
  return Object.entries(readJsonObject(path)).map(([text, id]) => ({ id, text, isSpecial: false }));
}
