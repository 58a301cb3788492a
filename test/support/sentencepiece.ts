/** Writes the model file of a SentencePiece tokenizer: protocol buffers after sentencepiece_model.proto. */

export interface Piece {
  text: string;
  score: number;
  /** 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte: the numbers of GGUF's token types too. */
  type: number;
}

/** A unigram model that changes no characters but merges spaces and puts one in front. */
export function sentencePieceModel(pieces: readonly Piece[]): Uint8Array {
  const trainer = Buffer.concat([
    number(3, 1), // model_type: unigram
    number(4, pieces.length), // vocab_size
    number(40, 2), // unk_id
    number(41, -1), // bos_id
    number(42, 1), // eos_id
    number(43, 0), // pad_id
  ]);
  const normalizer = Buffer.concat([
    bytes(1, Buffer.from("identity")),
    number(3, 1), // add_dummy_prefix
    number(4, 1), // remove_extra_whitespaces
    number(5, 1), // escape_whitespaces
  ]);
  return Buffer.concat([
    ...pieces.map((piece) => bytes(1, pieceBytes(piece))),
    bytes(2, trainer),
    bytes(3, normalizer),
  ]);
}

function pieceBytes({ text, score, type }: Piece): Buffer {
  const value = Buffer.alloc(4);
  value.writeFloatLE(score);
  return Buffer.concat([bytes(1, Buffer.from(text)), varint((2 << 3) | 5), value, number(3, type)]);
}

const bytes = (field: number, value: Buffer): Buffer =>
  Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);
const number = (field: number, value: number): Buffer => Buffer.concat([varint(field << 3), varint(value)]);

/** Negative numbers take ten bytes, as the format has it. */
function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...out, Number(rest)]);
}
