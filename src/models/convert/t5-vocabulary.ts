import { existsSync } from "node:fs";
import { join } from "node:path";
import { addedTokens } from "./added-tokens.ts";
import { checkCharsmap } from "./charsmap.ts";
import { refuseEqualTokens } from "./distinct-tokens.ts";
import { cannotConvert } from "./failure.ts";
import { blob, type Entry, flag, floats, ints, text, texts, uint } from "./gguf-writer.ts";
import { readSentencePiece } from "./sentencepiece.ts";
import { type Piece, TOKEN_TYPES, type Unigram } from "./unigram.ts";
import { readUnigramJson } from "./unigram-json.ts";

const SENTENCEPIECE_NAMES = ["spiece.model", "tokenizer.model"];
/** Of pieces that no text is ever split into, as convert_hf_to_gguf.py has it. */
const UNUSED_SCORE = -10_000;
const ADDED_SCORE = -1000;

/**
 * The metadata of a T5 tokenizer.
 * @param size tokens of the model, which may be more than the tokenizer has
 * @throws SpellError model_invalid where there is no tokenizer or one that llama.cpp cannot run
 */
export function t5Vocabulary(directory: string, size: number, marks: { pad: number; eos: number }): Entry[] {
  const unigram = readUnigram(directory);
  const { addsSpace, mergesSpaces, charsmap } = unigram;
  if (charsmap !== undefined) checkCharsmap(charsmap, (rule) => cannotConvert(rule, directory));
  const pieces = allPieces(directory, unigram, size, marks);
  return [
    text("tokenizer.ggml.model", "t5"),
    text("tokenizer.ggml.pre", "default"),
    texts(
      "tokenizer.ggml.tokens",
      pieces.map((piece) => piece.text),
    ),
    floats(
      "tokenizer.ggml.scores",
      pieces.map((piece) => piece.score),
    ),
    ints(
      "tokenizer.ggml.token_type",
      pieces.map((piece) => piece.type),
    ),
    flag("tokenizer.ggml.add_space_prefix", addsSpace),
    flag("tokenizer.ggml.remove_extra_whitespaces", mergesSpaces),
    ...(charsmap === undefined ? [] : [blob("tokenizer.ggml.precompiled_charsmap", charsmap)]),
    uint("tokenizer.ggml.eos_token_id", marks.eos),
    uint("tokenizer.ggml.padding_token_id", marks.pad),
    uint(
      "tokenizer.ggml.unknown_token_id",
      pieces.findIndex(({ type }) => type === TOKEN_TYPES.unknown),
    ),
    flag("tokenizer.ggml.add_bos_token", false),
    flag("tokenizer.ggml.add_eos_token", true),
  ];
}

function readUnigram(directory: string): Unigram {
  const name = SENTENCEPIECE_NAMES.find((candidate) => existsSync(join(directory, candidate)));
  if (name !== undefined) return readSentencePiece(join(directory, name));
  const json = join(directory, "tokenizer.json");
  if (existsSync(json)) return readUnigramJson(json);
  throw cannotConvert(
    "it has no tokenizer",
    directory,
    `Put ${SENTENCEPIECE_NAMES[0]} or tokenizer.json of the same model into the directory`,
  );
}

function allPieces(
  directory: string,
  unigram: Unigram,
  size: number,
  marks: { pad: number; eos: number },
): Piece[] {
  const { pieces } = unigram;
  if (pieces.length > size)
    throw cannotConvert(`its tokenizer has ${pieces.length} tokens and the model ${size}`, directory);
  const all = Array.from({ length: size }, (_, id): Piece => {
    return pieces[id] ?? { text: `[PAD${id}]`, score: UNUSED_SCORE, type: TOKEN_TYPES.unused };
  });
  for (const { id, text } of addedTokens(directory, size)) {
    // SentencePiece's own marks keep their type
    const isOwn = id in pieces && pieces[id]!.text === text && pieces[id]!.type !== TOKEN_TYPES.normal;
    if (!isOwn) all[id] = { text, score: ADDED_SCORE, type: TOKEN_TYPES.userDefined };
  }
  for (const id of [marks.pad, marks.eos]) all[id] = { ...all[id]!, type: TOKEN_TYPES.control };

  if (!all.some(({ type }) => type === TOKEN_TYPES.unknown))
    throw cannotConvert("its tokenizer has no unknown token", directory);
  refuseEqualTokens(
    all.map(({ text }) => text),
    directory,
  );
  return all;
}
