/** Small BERT models with seeded random weights and the vocabulary of bge, as GGUF files and as published directories. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  copyEntries,
  type Entry,
  flag,
  float,
  keyOf,
  stringsOf,
  type TensorType,
  text,
  texts,
  uint,
  writeGguf,
} from "./gguf.ts";
import { releaseFile } from "./llama-sources.ts";
import { writeSafetensors } from "./safetensors.ts";
import { Weights } from "./weights.ts";

export interface BertShape {
  type: TensorType;
  seed: number;
  width: number;
  layers: number;
  heads: number;
  feedForward: number;
  contextTokens: number;
  /** `rank`: with the pooler and a classifier of one label, as a cross-encoder has them. */
  pooling: "mean" | "cls" | "rank";
  /** Kinds of tokens, by which cross-encoders of BERT's own kind tell a question and a document apart. */
  tokenTypes: number;
}

const SMALL = { width: 64, layers: 3, heads: 4, feedForward: 160, contextTokens: 512, tokenTypes: 2 };
const EPSILON = 1e-12;
const TYPE_COUNT = "tokenizer.ggml.token_type_count";
const POOLING = { mean: 1, cls: 2, rank: 4 };

export const BERT_MODELS: Readonly<Record<string, BertShape>> = {
  "bert-f32": { ...SMALL, type: "F32", seed: 21, pooling: "mean" },
  "bert-cls-f16": { ...SMALL, type: "F16", seed: 22, pooling: "cls" },
  "bert-rank-f32": { ...SMALL, type: "F32", seed: 23, pooling: "rank", tokenTypes: 1 },
};

const vocabulary = () => releaseFile("models/ggml-vocab-bert-bge.gguf");
let tokens: readonly string[] | undefined;
const tokensOfBge = () => (tokens ??= stringsOf(vocabulary(), "tokenizer.ggml.tokens"));

/** Writes the GGUF file of a model of `BERT_MODELS`, or of a shape of the caller's, and returns its path. */
export function generateBert(directory: string, name: string, shape = BERT_MODELS[name]!): string {
  const path = join(directory, `${name}.gguf`);
  const entries: Entry[] = [
    text("general.architecture", "bert"),
    text("general.name", name),
    text("general.license", "MIT"),
    uint("general.file_type", { F32: 0, F16: 1, Q8_0: 7 }[shape.type]),
    uint("bert.context_length", shape.contextTokens),
    uint("bert.embedding_length", shape.width),
    uint("bert.block_count", shape.layers),
    uint("bert.feed_forward_length", shape.feedForward),
    uint("bert.attention.head_count", shape.heads),
    float("bert.attention.layer_norm_epsilon", EPSILON),
    flag("bert.attention.causal", false),
    uint("bert.pooling_type", POOLING[shape.pooling]),
    ...(shape.pooling === "rank" ? [texts("bert.classifier.output_labels", ["relevance"])] : []),
    ...copyEntries(vocabulary(), "tokenizer.").filter((entry) => keyOf(entry) !== TYPE_COUNT),
    uint(TYPE_COUNT, shape.tokenTypes),
  ];
  writeGguf(path, entries, weights(shape).tensors(shape.type));
  return path;
}

/** The published names are those of transformers' `BertModel` and `BertForSequenceClassification`. */
function weights(shape: BertShape): Weights {
  const { width, feedForward } = shape;
  const made = new Weights(shape.seed);
  const prefix = shape.pooling === "rank" ? "bert." : "";
  const norm = (name: string, published: string) => {
    made.vector(`${name}.weight`, `${published}.weight`, width, 1);
    made.vector(`${name}.bias`, `${published}.bias`, width, 0);
  };
  const linear = (name: string, published: string, size: readonly [number, number]) => {
    made.matrix(`${name}.weight`, `${published}.weight`, size);
    made.vector(`${name}.bias`, `${published}.bias`, size[1], 0);
  };
  const embeddings = `${prefix}embeddings`;
  const embedding = (name: string, kind: string, rows: number, scale: number, keepsF32: boolean) =>
    made.matrix(`${name}.weight`, `${embeddings}.${kind}_embeddings.weight`, [width, rows], {
      scale,
      keepsF32,
    });
  embedding("token_embd", "word", tokensOfBge().length, 0.5, false);
  embedding("position_embd", "position", shape.contextTokens, 0.2, true);
  embedding("token_types", "token_type", shape.tokenTypes, 0.2, true);
  norm("token_embd_norm", `${embeddings}.LayerNorm`);
  for (let i = 0; i < shape.layers; i++) {
    const layer = `${prefix}encoder.layer.${i}`;
    linear(`blk.${i}.attn_q`, `${layer}.attention.self.query`, [width, width]);
    linear(`blk.${i}.attn_k`, `${layer}.attention.self.key`, [width, width]);
    linear(`blk.${i}.attn_v`, `${layer}.attention.self.value`, [width, width]);
    linear(`blk.${i}.attn_output`, `${layer}.attention.output.dense`, [width, width]);
    norm(`blk.${i}.attn_output_norm`, `${layer}.attention.output.LayerNorm`);
    linear(`blk.${i}.ffn_up`, `${layer}.intermediate.dense`, [width, feedForward]);
    linear(`blk.${i}.ffn_down`, `${layer}.output.dense`, [feedForward, width]);
    norm(`blk.${i}.layer_output_norm`, `${layer}.output.LayerNorm`);
  }
  if (shape.pooling === "rank") {
    linear("cls", "bert.pooler.dense", [width, width]);
    linear("cls.output", "classifier", [width, 1]);
  }
  return made;
}

/** Writes the same model as Hugging Face has such: `config.json`, `model.safetensors`, the tokenizer. Returns its directory. */
export function writeBertDirectory(directory: string, name: string, shape = BERT_MODELS[name]!): string {
  const target = join(directory, name);
  mkdirSync(target, { recursive: true });
  const write = (file: string, value: unknown) =>
    writeFileSync(join(target, file), `${JSON.stringify(value, null, 2)}\n`);
  const pieces = publishedTokens();
  write("config.json", {
    architectures: [shape.pooling === "rank" ? "BertForSequenceClassification" : "BertModel"],
    model_type: "bert",
    hidden_act: "gelu",
    hidden_size: shape.width,
    intermediate_size: shape.feedForward,
    layer_norm_eps: EPSILON,
    max_position_embeddings: shape.contextTokens,
    num_attention_heads: shape.heads,
    num_hidden_layers: shape.layers,
    pad_token_id: 0,
    position_embedding_type: "absolute",
    type_vocab_size: shape.tokenTypes,
    vocab_size: pieces.length,
    ...(shape.pooling === "rank" ? { id2label: { 0: "relevance" }, label2id: { relevance: 0 } } : {}),
  });
  if (shape.pooling !== "rank") {
    // as sentence-transformers says how vectors of tokens become one
    mkdirSync(join(target, "1_Pooling"), { recursive: true });
    write("modules.json", [
      { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ]);
    write("1_Pooling/config.json", {
      word_embedding_dimension: shape.width,
      pooling_mode_cls_token: shape.pooling === "cls",
      pooling_mode_mean_tokens: shape.pooling === "mean",
    });
  }
  writeFileSync(join(target, "vocab.txt"), `${pieces.join("\n")}\n`);
  write("tokenizer_config.json", {
    tokenizer_class: "BertTokenizer",
    do_lower_case: true,
    model_max_length: shape.contextTokens,
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
  });
  write("tokenizer.json", tokenizerOf(pieces));
  writeSafetensors(join(target, "model.safetensors"), weights(shape).published("F32"));
  return target;
}

/** GGUF files mark the beginnings of words, WordPiece the rest of them. */
function publishedTokens(): string[] {
  return tokensOfBge().map((token) => {
    if (token.startsWith("▁")) return token.slice(1);
    return /^\[[A-Za-z0-9]+\]$/.test(token) ? token : `##${token}`;
  });
}

function tokenizerOf(pieces: readonly string[]): unknown {
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const part = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } });
  const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  const token = (id: string) => ({ id, ids: [pieces.indexOf(id)], tokens: [id] });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: pieces.indexOf(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [part("[CLS]", 0), sequence("A", 0), part("[SEP]", 0)],
      pair: [part("[CLS]", 0), sequence("A", 0), part("[SEP]", 0), sequence("B", 1), part("[SEP]", 1)],
      special_tokens: { "[CLS]": token("[CLS]"), "[SEP]": token("[SEP]") },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    },
  };
}
