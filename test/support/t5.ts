/** Small T5 models with seeded random weights, as GGUF files and as published directories. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Entry,
  flag,
  float,
  floats,
  ints,
  type TensorType,
  text,
  texts,
  uint,
  writeGguf,
} from "./gguf.ts";
import { writeSafetensors } from "./safetensors.ts";
import { type Piece, sentencePieceModel } from "./sentencepiece.ts";
import { Weights } from "./weights.ts";

export interface T5Shape {
  type: TensorType;
  seed: number;
  width: number;
  layers: number;
  decoderLayers: number;
  heads: number;
  headWidth: number;
  feedForward: number;
  contextTokens: number;
  /** `t5`: one ReLU branch, output tied to the embedding; `flan-t5`: gated GELU, an output of its own. */
  kind: "t5" | "flan-t5";
}

const SMALL = { width: 64, layers: 2, decoderLayers: 2, heads: 4, headWidth: 16, feedForward: 128 };
const BUCKETS = 32;
const BUCKET_DISTANCE = 128; // llama.cpp's only one, and that of all published T5
const EPSILON = 1e-6;

export const T5_MODELS: Readonly<Record<string, T5Shape>> = {
  "t5-f32": { ...SMALL, type: "F32", seed: 31, contextTokens: 512, kind: "t5" },
  "flan-t5-f32": { ...SMALL, type: "F32", seed: 32, contextTokens: 512, kind: "flan-t5", layers: 3 },
  "flan-t5-q8_0": { ...SMALL, type: "Q8_0", seed: 33, contextTokens: 512, kind: "flan-t5" },
};

/** Writes the GGUF file of a model of `T5_MODELS`, or of a shape of the caller's, and returns its path. */
export function generateT5(directory: string, name: string, shape = T5_MODELS[name]!): string {
  const path = join(directory, `${name}.gguf`);
  const entries: Entry[] = [
    text("general.architecture", "t5"),
    text("general.name", name),
    text("general.license", "MIT"),
    uint("general.file_type", { F32: 0, F16: 1, Q8_0: 7 }[shape.type]),
    uint("t5.context_length", shape.contextTokens),
    uint("t5.embedding_length", shape.width),
    uint("t5.feed_forward_length", shape.feedForward),
    uint("t5.block_count", shape.layers),
    uint("t5.decoder_block_count", shape.decoderLayers),
    uint("t5.attention.head_count", shape.heads),
    uint("t5.attention.key_length", shape.headWidth),
    uint("t5.attention.value_length", shape.headWidth),
    float("t5.attention.layer_norm_epsilon", EPSILON),
    float("t5.attention.layer_norm_rms_epsilon", EPSILON),
    uint("t5.attention.relative_buckets_count", BUCKETS),
    uint("t5.decoder_start_token_id", 0),
    text("tokenizer.ggml.model", "t5"),
    text("tokenizer.ggml.pre", "default"),
    texts(
      "tokenizer.ggml.tokens",
      PIECES.map((piece) => piece.text),
    ),
    floats(
      "tokenizer.ggml.scores",
      PIECES.map((piece) => piece.score),
    ),
    ints(
      "tokenizer.ggml.token_type",
      PIECES.map((piece) => piece.type),
    ),
    flag("tokenizer.ggml.add_space_prefix", true),
    flag("tokenizer.ggml.remove_extra_whitespaces", true),
    uint("tokenizer.ggml.eos_token_id", 1),
    uint("tokenizer.ggml.unknown_token_id", 2),
    uint("tokenizer.ggml.padding_token_id", 0),
    flag("tokenizer.ggml.add_bos_token", false),
    flag("tokenizer.ggml.add_eos_token", true),
  ];
  writeGguf(path, entries, weights(shape).tensors(shape.type));
  return path;
}

/** The published names are those of transformers' `T5ForConditionalGeneration`. */
function weights(shape: T5Shape): Weights {
  const made = new Weights(shape.seed);
  const { width, feedForward, heads } = shape;
  const inner = heads * shape.headWidth;
  const norm = (name: string, published: string) =>
    made.vector(`${name}.weight`, `${published}.weight`, width, 1);
  // T5 does not divide attention scores by √width: its query weights are that much smaller
  const queryScale = 1 / Math.sqrt(width * shape.headWidth);
  const attention = (block: string, kind: string, published: string) => {
    const matrix = (letter: "q" | "k" | "v", scale?: number) =>
      made.matrix(
        `${block}.${kind}_${letter}.weight`,
        `${published}.${letter}.weight`,
        [width, inner],
        scale === undefined ? {} : { scale },
      );
    matrix("q", queryScale);
    matrix("k");
    matrix("v");
    made.matrix(`${block}.${kind}_o.weight`, `${published}.o.weight`, [inner, width]);
  };
  const feed = (block: string, published: string) => {
    const isGated = shape.kind === "flan-t5";
    const layer = `${published}.DenseReluDense`;
    if (isGated) made.matrix(`${block}.ffn_gate.weight`, `${layer}.wi_0.weight`, [width, feedForward]);
    made.matrix(`${block}.ffn_up.weight`, `${layer}.${isGated ? "wi_1" : "wi"}.weight`, [width, feedForward]);
    made.matrix(`${block}.ffn_down.weight`, `${layer}.wo.weight`, [feedForward, width]);
  };
  const stack = (short: "enc" | "dec", long: "encoder" | "decoder", layers: number) => {
    for (let i = 0; i < layers; i++) {
      const block = `${short}.blk.${i}`;
      const layer = (n: number) => `${long}.block.${i}.layer.${n}`;
      norm(`${block}.attn_norm`, `${layer(0)}.layer_norm`);
      attention(block, "attn", `${layer(0)}.SelfAttention`);
      if (i === 0)
        made.matrix(
          `${block}.attn_rel_b.weight`,
          `${layer(0)}.SelfAttention.relative_attention_bias.weight`,
          [heads, BUCKETS],
          { scale: 0.5, keepsF32: true },
        );
      if (short === "dec") {
        norm(`${block}.cross_attn_norm`, `${layer(1)}.layer_norm`);
        attention(block, "cross_attn", `${layer(1)}.EncDecAttention`);
      }
      const last = short === "dec" ? 2 : 1;
      norm(`${block}.ffn_norm`, `${layer(last)}.layer_norm`);
      feed(block, layer(last));
    }
    norm(`${short}.output_norm`, `${long}.final_layer_norm`);
  };
  made.matrix("token_embd.weight", "shared.weight", [width, PIECES.length], { scale: 0.5 });
  stack("enc", "encoder", shape.layers);
  stack("dec", "decoder", shape.decoderLayers);
  if (shape.kind === "flan-t5") made.matrix("output.weight", "lm_head.weight", [width, PIECES.length]);
  return made;
}

/** Writes the same model as Hugging Face has such: `config.json`, `model.safetensors`, the tokenizer. Returns its directory. */
export function writeT5Directory(directory: string, name: string, shape = T5_MODELS[name]!): string {
  const target = join(directory, name);
  mkdirSync(target, { recursive: true });
  const write = (file: string, value: unknown) =>
    writeFileSync(join(target, file), `${JSON.stringify(value, null, 2)}\n`);
  const isGated = shape.kind === "flan-t5";
  write("config.json", {
    architectures: ["T5ForConditionalGeneration"],
    model_type: "t5",
    d_model: shape.width,
    d_kv: shape.headWidth,
    d_ff: shape.feedForward,
    num_layers: shape.layers,
    num_decoder_layers: shape.decoderLayers,
    num_heads: shape.heads,
    n_positions: shape.contextTokens,
    relative_attention_num_buckets: BUCKETS,
    relative_attention_max_distance: BUCKET_DISTANCE,
    feed_forward_proj: isGated ? "gated-gelu" : "relu",
    dropout_rate: 0.1,
    layer_norm_epsilon: EPSILON,
    tie_word_embeddings: !isGated,
    is_encoder_decoder: true,
    decoder_start_token_id: 0,
    pad_token_id: 0,
    eos_token_id: 1,
    vocab_size: PIECES.length,
  });
  write("tokenizer_config.json", {
    tokenizer_class: "T5Tokenizer",
    eos_token: "</s>",
    unk_token: "<unk>",
    pad_token: "<pad>",
    extra_ids: 0,
  });
  write("tokenizer.json", tokenizer());
  writeFileSync(join(target, "spiece.model"), sentencePieceModel(PIECES));
  writeSafetensors(join(target, "model.safetensors"), weights(shape).published("F32"));
  return target;
}

const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const LETTERS = [..."▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!':-0123456789éüß漢字"];
const SYLLABLES = [..."bdfgklmnprst"].flatMap((c) => [..."aeiou"].map((v) => c + v));
const COMMON = [
  "▁the",
  "▁translate",
  "▁English",
  "▁German",
  "▁summarize",
  "▁a",
  "▁is",
  "ing",
  "tion",
  "er",
  "en",
];

/** Scores are logarithms of how often a piece occurs, as a trained unigram model has them. */
export const PIECES: readonly Piece[] = [
  { text: "<pad>", score: 0, type: CONTROL },
  { text: "</s>", score: 0, type: CONTROL },
  { text: "<unk>", score: 0, type: UNKNOWN },
  ...[...COMMON, ...SYLLABLES.map((s) => `▁${s}`), ...SYLLABLES, ...LETTERS].map((piece, i) => ({
    text: piece,
    score: Math.fround(-2 - Math.log(i + 1)),
    type: NORMAL,
  })),
];

function tokenizer(): unknown {
  const special = PIECES.slice(0, 3).map(({ text: content }, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const end = { SpecialToken: { id: "</s>", type_id: 0 } };
  const space = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
    pre_tokenizer: space,
    post_processor: {
      type: "TemplateProcessing",
      single: [sequence("A"), end],
      pair: [sequence("A"), end, sequence("B"), end],
      special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
    },
    decoder: space,
    model: { type: "Unigram", unk_id: 2, vocab: PIECES.map(({ text: t, score }) => [t, score]) },
  };
}
