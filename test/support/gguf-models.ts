/** Small models of several shapes with seeded random weights: what they say is noise, but it is always the same noise. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  copyEntries,
  type Entry,
  float,
  floats,
  ints,
  keyOf,
  stringsOf,
  type Tensor,
  type TensorType,
  text,
  texts,
  uint,
  writeGguf,
  writeSplitGguf,
} from "./gguf.ts";
import { around, bell, uniform } from "./random.ts";

export const SPELL_MINI = join(import.meta.dir, "../../models/spell-mini/spell-mini.gguf");

interface Shape {
  architecture: "llama" | "qwen2" | "gemma" | "phi3";
  type: TensorType;
  seed: number;
  width: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headWidth: number;
  feedForward: number;
  contextTokens: number;
  vocabulary: "spell-mini" | "sentencepiece";
  /** Instead of the vocabulary's own. */
  chatTemplate?: string;
  /** New texts of tokens of spell-mini's vocabulary. */
  renamedTokens?: Readonly<Record<string, string>>;
  /** Tokens of spell-mini's vocabulary that the model writes often. */
  oftenTokens?: readonly string[];
}

const SMALL = {
  width: 64,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headWidth: 16,
  feedForward: 160,
  contextTokens: 512,
};

export const GENERATED_MODELS: Readonly<Record<string, Shape>> = {
  "llama-f32": { ...SMALL, architecture: "llama", type: "F32", seed: 1, vocabulary: "spell-mini" },
  "qwen2-f16": { ...SMALL, architecture: "qwen2", type: "F16", seed: 2, vocabulary: "spell-mini" },
  "gemma-q8_0": {
    ...SMALL,
    architecture: "gemma",
    type: "Q8_0",
    seed: 3,
    headWidth: 32,
    kvHeads: 1,
    vocabulary: "sentencepiece",
  },
  "phi3-q8_0": {
    ...SMALL,
    architecture: "phi3",
    type: "Q8_0",
    seed: 4,
    kvHeads: 4,
    vocabulary: "sentencepiece",
  },
};

/** Writes a model of `GENERATED_MODELS`, or a shape of the caller's, and returns its path. */
export function generateModel(directory: string, name: string, shape = GENERATED_MODELS[name]!): string {
  const path = join(directory, `${name}.gguf`);
  writeGguf(path, entriesOf(name, shape), weights(shape));
  return path;
}

/** The same model in several files. Returns their paths. */
export function generateSplitModel(directory: string, name: string, count: number): string[] {
  const shape = GENERATED_MODELS[name]!;
  return writeSplitGguf(join(directory, name), entriesOf(name, shape), weights(shape), count);
}

const tokenCount = (shape: Shape) => (shape.vocabulary === "spell-mini" ? 1504 : PIECES.length);

function entriesOf(name: string, shape: Shape): Entry[] {
  const vocabulary =
    shape.vocabulary === "spell-mini" ? copyEntries(SPELL_MINI, "tokenizer.") : sentencePieces();
  return [...hyperparameters(name, shape), ...replaced(vocabulary, shape)];
}

function replaced(vocabulary: readonly Entry[], { chatTemplate, renamedTokens }: Shape): Entry[] {
  const others = new Map<string, Entry>();
  if (chatTemplate !== undefined)
    others.set("tokenizer.chat_template", text("tokenizer.chat_template", chatTemplate));
  if (renamedTokens !== undefined) {
    const tokens = stringsOf(SPELL_MINI, "tokenizer.ggml.tokens");
    const renamed = tokens.map((token) => renamedTokens[token] ?? token);
    others.set("tokenizer.ggml.tokens", texts("tokenizer.ggml.tokens", renamed));
  }
  return [...vocabulary.filter((entry) => !others.has(keyOf(entry))), ...others.values()];
}

function hyperparameters(name: string, shape: Shape): Entry[] {
  const { architecture: a } = shape;
  return [
    text("general.architecture", a),
    text("general.name", name),
    text("general.license", "MIT"),
    uint("general.file_type", { F32: 0, F16: 1, Q8_0: 7 }[shape.type]),
    uint(`${a}.context_length`, shape.contextTokens),
    uint(`${a}.embedding_length`, shape.width),
    uint(`${a}.block_count`, shape.layers),
    uint(`${a}.feed_forward_length`, shape.feedForward),
    uint(`${a}.attention.head_count`, shape.heads),
    uint(`${a}.attention.head_count_kv`, shape.kvHeads),
    uint(`${a}.attention.key_length`, shape.headWidth),
    uint(`${a}.attention.value_length`, shape.headWidth),
    uint(`${a}.rope.dimension_count`, shape.headWidth),
    float(`${a}.attention.layer_norm_rms_epsilon`, 1e-5),
  ];
}

function weights(shape: Shape): Tensor[] {
  const { architecture, width, feedForward } = shape;
  const tokens = tokenCount(shape);
  const random = uniform(shape.seed);
  const q = shape.heads * shape.headWidth;
  const kv = shape.kvHeads * shape.headWidth;
  const tensors: Tensor[] = [];
  const matrix = (name: string, columns: number, rows: number, scale = 1 / Math.sqrt(columns)) => {
    const values = bell(random, columns * rows, scale);
    tensors.push({ name: `${name}.weight`, shape: [columns, rows], type: shape.type, values });
  };
  const vector = (name: string, length: number, middle: number) => {
    const values = around(random, length, middle);
    tensors.push({ name, shape: [length], type: "F32", values });
  };

  matrix("token_embd", width, tokens, architecture === "gemma" ? 0.05 : 0.5); // gemma multiplies it by √width
  if (architecture === "llama" || architecture === "phi3") matrix("output", width, tokens, 0.5);
  for (const token of shape.oftenTokens ?? []) {
    const start = stringsOf(SPELL_MINI, "tokenizer.ggml.tokens").indexOf(token) * width;
    const { values } = tensors.at(-1)!;
    for (let i = start; i < start + width; i++) values[i]! *= 4;
  }
  const LOUD = 6 / Math.sqrt(width); // layers drown the token itself, so that answers do not repeat it
  vector("output_norm.weight", width, 1);
  for (let i = 0; i < shape.layers; i++) {
    const layer = (name: string) => `blk.${i}.${name}`;
    vector(layer("attn_norm.weight"), width, 1);
    if (architecture === "phi3") matrix(layer("attn_qkv"), width, q + 2 * kv);
    else {
      matrix(layer("attn_q"), width, q);
      matrix(layer("attn_k"), width, kv);
      matrix(layer("attn_v"), width, kv);
    }
    if (architecture === "qwen2") {
      vector(layer("attn_q.bias"), q, 0);
      vector(layer("attn_k.bias"), kv, 0);
      vector(layer("attn_v.bias"), kv, 0);
    }
    matrix(layer("attn_output"), q, width, LOUD);
    vector(layer("ffn_norm.weight"), width, 1);
    if (architecture === "phi3") matrix(layer("ffn_up"), width, 2 * feedForward);
    else {
      matrix(layer("ffn_gate"), width, feedForward);
      matrix(layer("ffn_up"), width, feedForward);
    }
    matrix(layer("ffn_down"), feedForward, width, LOUD);
  }
  return tensors;
}

const CONTROL = ["<unk>", "<s>", "</s>", "<|endoftext|>"]; // the last is what phi3 asks for
const BYTES = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);
const LETTERS = [..."▁abcdefghijklmnopqrstuvwxyz.,?!'0123456789éüß漢字"];
const SYLLABLES = [..."bdfgklmnprst"].flatMap((c) => [..."aeiou"].map((v) => c + v));
const WORDS = SYLLABLES.map((s) => `▁${s}`);
const FIRST_PIECE = CONTROL.length + BYTES.length;
const PIECES = [...CONTROL, ...BYTES, ...LETTERS, ...SYLLABLES, ...WORDS];

/** A vocabulary of the SentencePiece kind, with byte tokens for what it has no piece for. */
function sentencePieces(): Entry[] {
  const kind = (_: string, id: number) => (id === 0 ? 2 : id < CONTROL.length ? 3 : id < FIRST_PIECE ? 6 : 1);
  return [
    text("tokenizer.ggml.model", "llama"),
    text("tokenizer.ggml.pre", "default"),
    texts("tokenizer.ggml.tokens", PIECES),
    floats(
      "tokenizer.ggml.scores",
      PIECES.map((_, id) => (id < FIRST_PIECE ? 0 : -id)),
    ),
    ints("tokenizer.ggml.token_type", PIECES.map(kind)),
    uint("tokenizer.ggml.bos_token_id", 1),
    uint("tokenizer.ggml.eos_token_id", 2),
    uint("tokenizer.ggml.unknown_token_id", 0),
  ];
}

/** A phi3 model whose parts all are there and fit, and whose two head widths differ: llama.cpp asserts that they do not. */
export function generateAbortingModel(directory: string, name: string): string {
  const path = generateModel(directory, name, { ...GENERATED_MODELS["phi3-q8_0"]!, kvHeads: 2 });
  const file = readFileSync(path);
  const put = (key: string, value: number) => file.writeUInt32LE(value, file.indexOf(key) + key.length + 4); // after the type
  put("phi3.attention.head_count_kv", 4);
  put("phi3.attention.value_length", 8);
  writeFileSync(path, file);
  return path;
}
