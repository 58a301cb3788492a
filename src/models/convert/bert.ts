/** BERT-type embedding models (BertModel): names, keys and types as in conversion/bert.py of llama.cpp v0.5.0. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bertVocabulary } from "./bert-vocabulary.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import { cannotConvert } from "./failure.ts";
import { type Entry, flag, float, uint } from "./gguf-writer.ts";
import { isObject, readJson, readJsonObject } from "./json-file.ts";
import { type Plan, TensorPlan } from "./plan.ts";

/** llama.cpp has one activation for BERT. */
const ACTIVATIONS = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"];
/** Heads of the training, and the pooler, which embeddings do not go through. */
const SUPERFLUOUS =
  /^(embeddings\.position_ids|pooler\.dense\.(weight|bias)|cls\.(predictions|seq_relationship)\..*)$/;
const POOLING = { mean: 1, cls: 2, lasttoken: 3 } as const; // llama.h: llama_pooling_type

/** @throws SpellError model_invalid for a configuration, tensors or a tokenizer that do not make a BERT */
export function planBert(directory: string, config: ModelConfig, checkpoint: Checkpoint): Plan {
  const activation = config.text("hidden_act", "gelu");
  if (!ACTIVATIONS.includes(activation))
    throw cannotConvert(`"hidden_act" must be one of ${ACTIVATIONS.join(", ")}: ${activation}`, config.path);
  const positions = config.text("position_embedding_type", "absolute");
  if (positions !== "absolute")
    throw cannotConvert(`"position_embedding_type" must be absolute: ${positions}`, config.path);
  const vocabulary = config.vocabularySize;
  const types = config.size("type_vocab_size", 2);
  const isPrefixed = checkpoint.has("bert.embeddings.word_embeddings.weight");
  return {
    entries: [
      uint("bert.context_length", config.size("max_position_embeddings")),
      uint("bert.embedding_length", config.size("hidden_size")),
      uint("bert.feed_forward_length", config.size("intermediate_size")),
      uint("bert.block_count", config.layers("num_hidden_layers")),
      uint("bert.attention.head_count", config.size("num_attention_heads")),
      float("bert.attention.layer_norm_epsilon", config.epsilon("layer_norm_eps")),
      flag("bert.attention.causal", false),
      ...poolingOf(directory),
      uint("tokenizer.ggml.token_type_count", types),
      ...bertVocabulary(directory, vocabulary),
    ],
    tensors: tensors(
      new TensorPlan(checkpoint, directory, isPrefixed ? "bert." : ""),
      config,
      vocabulary,
      types,
    ),
  };
}

/** What sentence-transformers would do with the tokens' vectors; nothing where the directory does not say. */
function poolingOf(directory: string): Entry[] {
  const path = join(directory, "modules.json");
  if (!existsSync(path)) return [];
  const modules = readJson(path);
  if (!Array.isArray(modules)) throw cannotConvert("it is not a list", path);
  let pooling: Entry[] = [];
  for (const module of modules) {
    const { type, path: place } = isObject(module) ? module : {};
    const name = String(type).split(".").at(-1)!;
    if (name === "Pooling") pooling = [uint("bert.pooling_type", poolingType(directory, place))];
    else if (name !== "Transformer" && name !== "Normalize")
      throw cannotConvert(`its module "${name}" has no place in a GGUF file`, path);
  }
  return pooling;
}

function poolingType(directory: string, place: unknown): number {
  if (typeof place !== "string" || !/^(?!\.)[\w.-]{1,100}$/.test(place))
    throw cannotConvert(
      `the pooling's path is no directory of the model: ${JSON.stringify(place)}`,
      directory,
    );
  const path = join(directory, place, "config.json");
  const config = readJsonObject(path);
  const named = config.pooling_mode;
  const chosen = Object.entries(config).flatMap(([key, value]) =>
    value === true && key.startsWith("pooling_mode_") ? [key.slice("pooling_mode_".length)] : [],
  );
  if (chosen.length === 0 && typeof named === "string") chosen.push(named);
  const mode = chosen[0]?.replace(/_tokens?$/, "") ?? "none";
  if (chosen.length === 1 && mode in POOLING) return POOLING[mode as keyof typeof POOLING];
  throw cannotConvert(
    `its pooling must be one of ${Object.keys(POOLING).join(", ")}: ${chosen.join(" and ") || "none"}`,
    path,
  );
}

function tensors(plan: TensorPlan, config: ModelConfig, vocabulary: number, types: number) {
  const width = config.size("hidden_size");
  const feedForward = config.size("intermediate_size");
  const matrix = (from: string, to: string, rows: number, columns: number) => {
    plan.take(`${from}.weight`, `${to}.weight`, [rows, columns]);
    plan.take(`${from}.bias`, `${to}.bias`, [rows]);
  };
  const norm = (from: string, to: string) => {
    plan.take([`${from}.weight`, `${from}.gamma`], `${to}.weight`, [width]);
    plan.take([`${from}.bias`, `${from}.beta`], `${to}.bias`, [width]);
  };

  plan.take("embeddings.word_embeddings.weight", "token_embd.weight", [vocabulary, width]);
  const f32 = { isF32: true };
  const positions = config.size("max_position_embeddings");
  plan.take("embeddings.position_embeddings.weight", "position_embd.weight", [positions, width], f32);
  plan.take("embeddings.token_type_embeddings.weight", "token_types.weight", [types, width], f32);
  norm("embeddings.LayerNorm", "token_embd_norm");
  for (let i = 0; i < config.layers("num_hidden_layers"); i++) {
    const from = (name: string) => `encoder.layer.${i}.${name}`;
    const to = (name: string) => `blk.${i}.${name}`;
    matrix(from("attention.self.query"), to("attn_q"), width, width);
    matrix(from("attention.self.key"), to("attn_k"), width, width);
    matrix(from("attention.self.value"), to("attn_v"), width, width);
    matrix(from("attention.output.dense"), to("attn_output"), width, width);
    norm(from("attention.output.LayerNorm"), to("attn_output_norm"));
    matrix(from("intermediate.dense"), to("ffn_up"), feedForward, width);
    matrix(from("output.dense"), to("ffn_down"), width, feedForward);
    norm(from("output.LayerNorm"), to("layer_output_norm"));
  }
  plan.refuseRest(SUPERFLUOUS);
  return plan.tensors;
}
