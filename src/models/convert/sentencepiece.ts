/** A SentencePiece model (`spiece.model`): sentencepiece_model.proto's ModelProto. */
import { cannotConvert } from "./failure.ts";
import { readInputFile } from "./input-file.ts";
import { type Field, fieldsOf } from "./protobuf.ts";
import { type Piece, TOKEN_TYPES, type Unigram } from "./unigram.ts";

const LONGEST_BYTES = 64 << 20;
const MODEL = { pieces: 1, trainer: 2, normalizer: 3 };
const PIECE = { text: 1, score: 2, type: 3 };
const TRAINER = { modelType: 3, suffixSpace: 24 };
const NORMALIZER = { charsmap: 2, addsSpace: 3, mergesSpaces: 4, escapesSpaces: 5 };
const UNIGRAM = 1;

/** @throws SpellError not_found, io, model_invalid: damaged, or of another kind than unigram */
export function readSentencePiece(path: string): Unigram {
  const fail = (rule: string) => cannotConvert(rule, path);
  const model: Unigram = { pieces: [], addsSpace: true, mergesSpaces: true, charsmap: undefined };
  let kind = UNIGRAM;
  let isSuffix = false;
  let escapes = true;
  for (const { number, value } of fieldsOf(readInputFile(path, LONGEST_BYTES), fail)) {
    if (number === MODEL.pieces) model.pieces.push(pieceOf(bytesOf(value, fail), fail));
    else if (number === MODEL.trainer) {
      const trainer = message(value, fail);
      kind = numberOf(trainer.get(TRAINER.modelType), kind, fail);
      isSuffix = numberOf(trainer.get(TRAINER.suffixSpace), Number(isSuffix), fail) !== 0;
    } else if (number === MODEL.normalizer) {
      const normalizer = message(value, fail);
      model.addsSpace = numberOf(normalizer.get(NORMALIZER.addsSpace), Number(model.addsSpace), fail) !== 0;
      model.mergesSpaces =
        numberOf(normalizer.get(NORMALIZER.mergesSpaces), Number(model.mergesSpaces), fail) !== 0;
      escapes = numberOf(normalizer.get(NORMALIZER.escapesSpaces), Number(escapes), fail) !== 0;
      const charsmap = normalizer.get(NORMALIZER.charsmap);
      if (charsmap !== undefined) model.charsmap = bytesOf(charsmap, fail).slice();
    }
  }
  if (kind !== UNIGRAM) throw fail(`its model type ${kind} is not that of a unigram model, ${UNIGRAM}`);
  if (isSuffix || !escapes)
    throw fail("it writes spaces in a way that llama.cpp's unigram tokenizer does not");
  if (model.pieces.length === 0) throw fail("it has no pieces");
  if (model.pieces.some(({ type }) => type === TOKEN_TYPES.byte))
    throw fail("it falls back to bytes, which llama.cpp's unigram tokenizer does not");
  return model;
}

function pieceOf(bytes: Uint8Array, fail: (rule: string) => Error): Piece {
  const fields = message(bytes, fail);
  const text = new TextDecoder().decode(bytesOf(fields.get(PIECE.text) ?? new Uint8Array(0), fail));
  const scoreBytes = bytesOf(fields.get(PIECE.score) ?? new Uint8Array(4), fail);
  if (scoreBytes.length !== 4) throw fail(`the score of piece "${text}" is not a 32-bit number`);
  const score = new DataView(scoreBytes.buffer, scoreBytes.byteOffset, 4).getFloat32(0, true);
  return { text, score, type: numberOf(fields.get(PIECE.type), TOKEN_TYPES.normal, fail) };
}

/** The last of each field, as protocol buffers have it for fields that occur once. */
function message(value: Field["value"], fail: (rule: string) => Error): Map<number, Field["value"]> {
  return new Map([...fieldsOf(bytesOf(value, fail), fail)].map((field) => [field.number, field.value]));
}

function bytesOf(value: Field["value"], fail: (rule: string) => Error): Uint8Array {
  if (typeof value === "number") throw fail("a number stands where bytes are expected");
  return value;
}

function numberOf(
  value: Field["value"] | undefined,
  fallback: number,
  fail: (rule: string) => Error,
): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number") throw fail("bytes stand where a number is expected");
  return value;
}
