/** What llama.cpp keeps of tokens and sequences, by a model's header. */
import type { GgufHeader } from "./gguf.ts";

export interface CacheSize {
  /** Keys and values of all layers in 16 bits. */
  bytesPerToken: number;
  /** The state of a recurrent model, whatever its length. */
  bytesPerSequence: number;
  /** More than it takes: only some layers keep all tokens (sliding windows) or any (mixed models). */
  isBound: boolean;
}

type Header = Pick<GgufHeader, "architecture" | "metadata">;

const KEY_BYTES = 2; // F16
const STATE_BYTES = 4; // F32

/** A layer's number, or all layers' one number, of `ARCHITECTURE.key`. */
export function hyperparameter(
  { architecture, metadata }: Header,
  key: string,
  layer = 0,
): number | undefined {
  const value = metadata.get(`${architecture}.${key}`);
  if (typeof value === "number") return value;
  return typeof value === "object" ? value.numbers?.[layer] : undefined;
}

export function cacheSize(header: Header): CacheSize {
  const number = (key: string, layer?: number) => hyperparameter(header, key, layer);
  const width = number("embedding_length") ?? 0;
  const layers = number("block_count") ?? 0;
  const keepsOneVector = number("attention.key_length_mla") !== undefined; // values are part of the keys
  let perToken = 0;
  for (let layer = 0; layer < layers; layer++) {
    const heads = number("attention.head_count", layer) ?? 0;
    const kept = number("attention.head_count_kv", layer) ?? heads;
    const even = width / Math.max(1, heads);
    const keyWidth = number("attention.key_length") ?? even;
    const valueWidth = keepsOneVector ? 0 : (number("attention.value_length") ?? even);
    perToken += kept * (keyWidth + valueWidth) * KEY_BYTES;
  }
  const state = recurrentState(number, width);
  return {
    bytesPerToken: perToken,
    bytesPerSequence: layers * state * STATE_BYTES,
    isBound: state > 0 || number("attention.sliding_window") !== undefined,
  };
}

/** Numbers that a layer of Mamba or RWKV keeps for a sequence (`n_embd_r` and `n_embd_s` of llama-hparams.cpp). */
function recurrentState(number: (key: string) => number | undefined, width: number): number {
  const inner = number("ssm.inner_size");
  if (inner !== undefined) {
    const state = number("ssm.state_size") ?? 0;
    const groups = number("ssm.group_count") ?? 0;
    const kernel = number("ssm.conv_kernel") ?? 1;
    return (kernel - 1) * (inner + 2 * groups * state) + inner * state;
  }
  const head = number("wkv.head_size");
  return head === undefined ? 0 : (number("token_shift_count") ?? 2) * width + width * head;
}
