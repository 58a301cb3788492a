/** A vocabulary of pieces with log probabilities, as SentencePiece and Hugging Face's tokenizers store it. */

/** llama.h's `llama_token_attr`s of a GGUF vocabulary: `tokenizer.ggml.token_type`. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Piece {
  text: string;
  score: number;
  /** One of `TOKEN_TYPES`. */
  type: number;
}

export interface Unigram {
  /** By token number. */
  pieces: Piece[];
  /** A space is put before the text. */
  addsSpace: boolean;
  /** Spaces at the ends go, others become one. */
  mergesSpaces: boolean;
  /** How characters are normalised: a double array and replacements (llama.cpp's `precompiled_charsmap`); undefined for not at all. */
  charsmap: Uint8Array | undefined;
}
