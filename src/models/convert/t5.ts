/**
 * T5 and FLAN-T5 (T5ForConditionalGeneration): names, keys and types as in conversion/t5.py of llama.cpp v0.5.0. Where the
 * head is tied to the embeddings, its factor of 1/√d_model, which llama.cpp leaves out, goes into the decoder's last norm.
 */
import type { Checkpoint } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import { cannotConvert } from "./failure.ts";
import { type Entry, float, uint } from "./gguf-writer.ts";
import { type Plan, TensorPlan } from "./plan.ts";
import { t5Vocabulary } from "./t5-vocabulary.ts";

/** llama.cpp computes with this one only. */
const MOST_DISTANCE = 128;
const EMBEDDINGS = ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
/** Copies of the embeddings, and a bias that older checkpoints hold and no implementation uses. */
const SUPERFLUOUS =
  /^((shared|encoder\.embed_tokens|decoder\.embed_tokens|lm_head)\.weight|decoder\.block\.\d+\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight)$/;

/** @throws SpellError model_invalid for a configuration, tensors or a tokenizer that do not make a T5 */
export function planT5(directory: string, config: ModelConfig, checkpoint: Checkpoint): Plan {
  const shape = shapeOf(config);
  return {
    entries: [
      ...hyperparameters(config, shape),
      ...t5Vocabulary(directory, shape.vocabulary, {
        pad: config.token("pad_token_id", shape.vocabulary) ?? 0,
        eos: config.token("eos_token_id", shape.vocabulary) ?? 1,
      }),
    ],
    tensors: tensors(new TensorPlan(checkpoint, directory), config, shape),
  };
}

type Shape = ReturnType<typeof shapeOf>;

function shapeOf(config: ModelConfig) {
  const encoderLayers = config.layers("num_layers");
  const decoderLayers = config.layers("num_decoder_layers", encoderLayers);
  if (decoderLayers > encoderLayers)
    throw cannotConvert(
      `its decoder of ${decoderLayers} layers is deeper than its encoder of ${encoderLayers}, which llama.cpp does not run`,
      config.path,
    );
  const distance = config.size("relative_attention_max_distance", MOST_DISTANCE);
  if (distance !== MOST_DISTANCE)
    throw cannotConvert(
      `"relative_attention_max_distance" must be ${MOST_DISTANCE} for llama.cpp: ${distance}`,
      config.path,
    );
  const activation = config.text("feed_forward_proj", "relu");
  if (activation !== "relu" && activation !== "gated-gelu")
    throw cannotConvert(`"feed_forward_proj" must be relu or gated-gelu: ${activation}`, config.path);
  return {
    encoderLayers,
    decoderLayers,
    isGated: activation === "gated-gelu",
    width: config.size("d_model"),
    heads: config.size("num_heads"),
    headWidth: config.size("d_kv"),
    feedForward: config.size("d_ff"),
    buckets: config.size("relative_attention_num_buckets", 32, 1024),
    vocabulary: config.vocabularySize,
  };
}

function hyperparameters(config: ModelConfig, shape: Shape): Entry[] {
  const epsilon = config.epsilon("layer_norm_epsilon");
  const start =
    config.token("decoder_start_token_id", shape.vocabulary) ??
    config.token("pad_token_id", shape.vocabulary);
  if (start === undefined) throw cannotConvert(`it has no "decoder_start_token_id"`, config.path);
  return [
    uint("t5.context_length", config.size("n_positions", 512)),
    uint("t5.embedding_length", shape.width),
    uint("t5.feed_forward_length", shape.feedForward),
    uint("t5.block_count", shape.encoderLayers),
    uint("t5.decoder_block_count", shape.decoderLayers),
    uint("t5.attention.head_count", shape.heads),
    uint("t5.attention.key_length", shape.headWidth),
    uint("t5.attention.value_length", shape.headWidth),
    float("t5.attention.layer_norm_epsilon", epsilon),
    float("t5.attention.layer_norm_rms_epsilon", epsilon),
    uint("t5.attention.relative_buckets_count", shape.buckets),
    uint("t5.decoder_start_token_id", start),
  ];
}

function tensors(plan: TensorPlan, config: ModelConfig, shape: Shape) {
  const { width, vocabulary } = shape;
  const isTied = config.flag("tie_word_embeddings", true);
  plan.take(EMBEDDINGS, "token_embd.weight", [vocabulary, width]);
  if (!isTied) plan.take("lm_head.weight", "output.weight", [vocabulary, width]);
  stack(plan, shape, "encoder", "enc", shape.encoderLayers);
  stack(plan, shape, "decoder", "dec", shape.decoderLayers);
  plan.take("encoder.final_layer_norm.weight", "enc.output_norm.weight", [width]);
  const isScaled = config.flag("scale_decoder_outputs", isTied);
  const factor = isScaled ? { factor: 1 / Math.sqrt(width) } : {};
  plan.take("decoder.final_layer_norm.weight", "dec.output_norm.weight", [width], factor);
  plan.refuseRest(SUPERFLUOUS);
  return plan.tensors;
}

function stack(
  plan: TensorPlan,
  { width, heads, headWidth, feedForward, buckets, isGated }: Shape,
  source: "encoder" | "decoder",
  target: "enc" | "dec",
  layers: number,
): void {
  const inner = heads * headWidth;
  for (let i = 0; i < layers; i++) {
    const from = (sublayer: number, name: string) => `${source}.block.${i}.layer.${sublayer}.${name}.weight`;
    const to = (name: string) => `${target}.blk.${i}.${name}.weight`;
    const attention = (sublayer: number, module: string, name: string) => {
      plan.take(from(sublayer, "layer_norm"), to(`${name}_norm`), [width]);
      for (const part of ["q", "k", "v"])
        plan.take(from(sublayer, `${module}.${part}`), to(`${name}_${part}`), [inner, width]);
      plan.take(from(sublayer, `${module}.o`), to(`${name}_o`), [width, inner]);
    };

    attention(0, "SelfAttention", "attn");
    const bias = from(0, "SelfAttention.relative_attention_bias");
    if (i === 0 || plan.has(bias)) plan.take(bias, to("attn_rel_b"), [buckets, heads]);
    if (source === "decoder") attention(1, "EncDecAttention", "cross_attn");

    const last = source === "decoder" ? 2 : 1;
    plan.take(from(last, "layer_norm"), to("ffn_norm"), [width]);
    if (isGated) plan.take(from(last, "DenseReluDense.wi_0"), to("ffn_gate"), [feedForward, width]);
    plan.take(from(last, `DenseReluDense.${isGated ? "wi_1" : "wi"}`), to("ffn_up"), [feedForward, width]);
    plan.take(from(last, "DenseReluDense.wo"), to("ffn_down"), [width, feedForward]);
  }
}
