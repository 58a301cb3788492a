/**
 * Values that llama.cpp checks by aborting the process (GGML_ASSERT and divisions in src/llama-model.cpp of v0.5.0,
 * `load_hparams`), checked here so that they become an error.
 */
import type { Fail, Metadata } from "./gguf-metadata.ts";

const MOST_LAYERS = 512; // LLAMA_MAX_LAYERS
const MOST_EXPERTS = 1024; // LLAMA_MAX_EXPERTS
const LARGEST_SIZE = 1 << 24; // of a width or count in any known model, and small enough that products fit
const ROPE_SCALINGS = ["none", "linear", "yarn", "longrope"];

export function checkHyperparameters(metadata: Metadata, fail: Fail): void {
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string" || !/^[\w.-]{1,64}$/.test(architecture))
    throw fail("it does not name its architecture");
  const numbers = (key: string): number[] => {
    const value = metadata.get(`${architecture}.${key}`);
    if (value === undefined) return [];
    if (typeof value === "number") return [value];
    if (typeof value === "object" && value.numbers !== undefined) return value.numbers;
    throw fail(`"${architecture}.${key}" is not a number`);
  };
  const within = (key: string, low: number, high: number) => {
    for (const n of numbers(key))
      if (!Number.isInteger(n) || n < low || n > high)
        throw fail(`"${architecture}.${key}" must be between ${low} and ${high}: ${n}`);
  };

  within("block_count", 1, MOST_LAYERS);
  within("context_length", 1, 2 ** 31 - 1);
  within("embedding_length", 1, LARGEST_SIZE);
  within("feed_forward_length", 0, LARGEST_SIZE);
  within("attention.head_count", 0, LARGEST_SIZE);
  within("attention.head_count_kv", 0, LARGEST_SIZE);
  within("attention.key_length", 1, LARGEST_SIZE);
  within("attention.value_length", 1, LARGEST_SIZE);
  within("nextn_predict_layers", 0, numbers("block_count")[0] ?? 0);
  within("expert_count", 0, MOST_EXPERTS);

  const embedding = numbers("embedding_length")[0] ?? 0;
  const heads = numbers("attention.head_count");
  if (heads.length === 1 && heads[0]! > embedding)
    throw fail(`"${architecture}.attention.head_count" is above the embedding length: ${heads[0]}`);
  const kvHeads = numbers("attention.head_count_kv");
  if (heads.length === 1 && kvHeads.length === 1 && heads[0] !== 0 && !(heads[0]! % kvHeads[0]! === 0))
    throw fail(
      `"${architecture}.attention.head_count_kv" does not divide the heads, ${heads[0]}: ${kvHeads[0]}`,
    );

  const headWidth =
    numbers("attention.key_length")[0] ?? (heads.length === 1 ? embedding / (heads[0] || 1) : LARGEST_SIZE);
  within("rope.dimension_count", 0, Math.max(headWidth, numbers("attention.key_length_mla")[0] ?? 0));
  for (const key of ["attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"])
    for (const epsilon of numbers(key))
      if (!(epsilon >= 0 && epsilon < 1))
        throw fail(`"${architecture}.${key}" must be a small number: ${epsilon}`);

  const experts = numbers("expert_count")[0] ?? 0;
  within("expert_used_count", experts === 0 ? 0 : 1, experts);
  const groups = numbers("expert_group_count")[0] ?? 0;
  if (groups !== 0 && (groups >= experts || experts % groups !== 0))
    throw fail(`"${architecture}.expert_group_count" does not divide the experts: ${groups}`);

  const scaling = metadata.get(`${architecture}.rope.scaling.type`);
  if (scaling !== undefined && !ROPE_SCALINGS.includes(String(scaling)))
    throw fail(
      `"${architecture}.rope.scaling.type" must be one of ${ROPE_SCALINGS.join(", ")}: ${String(scaling)}`,
    );
  checkEncoderDecoder(architecture, within, numbers);
}

/** llama.cpp's T5: the decoder uses the encoder's memory of layers; buckets of distances up to 128 are halved twice. */
function checkEncoderDecoder(
  architecture: string,
  within: (key: string, low: number, high: number) => void,
  numbers: (key: string) => number[],
): void {
  if (architecture !== "t5" && architecture !== "t5encoder") return;
  within("decoder_block_count", 1, numbers("block_count")[0] ?? 0);
  within("attention.relative_buckets_count", 4, 255);
}
