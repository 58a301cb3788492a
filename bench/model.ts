/**
 * A llama model of 125 M seeded random weights in Q8_0: big enough that computing, not calling, is what is measured. Its words
 * mean nothing; the row of the end token is zero, so that greedy generation never ends by itself. Besides letters it has
 * thousands of signs that are a token each: a text written in them, a sign for each of its words, has one spelling in tokens only.
 */
import { existsSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { PEER_DIR } from "./peers.ts";

const SHAPE = {
  embedding: 768,
  layers: 12,
  heads: 12,
  kvHeads: 4,
  feedForward: 2048,
  vocabulary: 32_000,
  context: 4096,
};
const KV_WIDTH = (SHAPE.embedding / SHAPE.heads) * SHAPE.kvHeads;
const END_TOKEN = 2;
const ALIGNMENT = 32;
const BLOCK_ELEMENTS = 32;
const BLOCK_BYTES = 34;
/** 0.02 / 73, the spread of a weight over that of an even byte, as a half float. */
const SCALE_F16 = 0x0c7d;

/** GGUF value types. */
const U32 = 4;
const I32 = 5;
const F32 = 6;
const TEXT = 8;
const ARRAY = 9;
/** Tensor types. */
const TENSOR_F32 = 0;
const TENSOR_Q8_0 = 8;

interface Tensor {
  name: string;
  /** Row length, rows. */
  shape: [number] | [number, number];
  /** A row that is all zero. */
  zeroRow?: number;
}

class Bytes {
  private readonly parts: Buffer[] = [];

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.parts.push(part);
    return this;
  }

  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  f32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeFloatLE(value);
    this.parts.push(part);
    return this;
  }

  text(value: string): this {
    const part = Buffer.from(value);
    this.u64(part.length).parts.push(part);
    return this;
  }

  end(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** Where Unicode has many signs one after the other: unified ideographs, Hangul syllables. First sign, how many. */
const SIGNS: readonly (readonly [number, number])[] = [
  [0x4e00, 20_992],
  [0xac00, 11_172],
];

/** The `index`-th sign. */
export function sign(index: number): string {
  let rest = index;
  for (const [first, count] of SIGNS) {
    if (rest < count) return String.fromCodePoint(first + rest);
    rest -= count;
  }
  throw new RangeError(`there are not so many signs: ${index}`);
}

/**
 * The names of bytes, which llama.cpp looks up, as words like others: no sign can be spelled by them. Then single letters, so that a
 * text of letters is one token a letter, then signs.
 */
function vocabulary(): { text: string; type: number }[] {
  const tokens = [
    { text: "<unk>", type: 2 },
    { text: "<s>", type: 3 },
    { text: "</s>", type: 3 },
  ];
  for (let byte = 0; byte < 256; byte++) {
    tokens.push({ text: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, type: 1 });
  }
  for (const letter of "▁abcdefghijklmnopqrstuvwxyz") tokens.push({ text: letter, type: 1 });
  for (let index = 0; tokens.length < SHAPE.vocabulary; index++) tokens.push({ text: sign(index), type: 1 });
  return tokens;
}

function metadata(out: Bytes): number {
  const { embedding, layers, heads, kvHeads, feedForward, context } = SHAPE;
  const texts = {
    "general.architecture": "llama",
    "general.name": "bench-125m",
    "tokenizer.ggml.model": "llama",
  };
  const integers = {
    "general.file_type": 7,
    "llama.context_length": context,
    "llama.embedding_length": embedding,
    "llama.block_count": layers,
    "llama.feed_forward_length": feedForward,
    "llama.attention.head_count": heads,
    "llama.attention.head_count_kv": kvHeads,
    "llama.rope.dimension_count": embedding / heads,
    "llama.vocab_size": SHAPE.vocabulary,
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": END_TOKEN,
  };
  for (const [key, value] of Object.entries(texts)) out.text(key).u32(TEXT).text(value);
  for (const [key, value] of Object.entries(integers)) out.text(key).u32(U32).u32(value);
  out.text("llama.attention.layer_norm_rms_epsilon").u32(F32).f32(1e-5);
  const tokens = vocabulary();
  const array = (key: string, type: number) => out.text(key).u32(ARRAY).u32(type).u64(tokens.length);
  array("tokenizer.ggml.tokens", TEXT);
  for (const token of tokens) out.text(token.text);
  array("tokenizer.ggml.scores", F32);
  for (const index of tokens.keys()) out.f32(-index);
  array("tokenizer.ggml.token_type", I32);
  for (const token of tokens) out.u32(token.type);
  return Object.keys(texts).length + Object.keys(integers).length + 4;
}

function tensors(): Tensor[] {
  const { embedding, layers, feedForward, vocabulary: words } = SHAPE;
  const list: Tensor[] = [
    { name: "token_embd.weight", shape: [embedding, words] },
    { name: "output_norm.weight", shape: [embedding] },
    { name: "output.weight", shape: [embedding, words], zeroRow: END_TOKEN },
  ];
  for (let i = 0; i < layers; i++) {
    const add = (name: string, ...shape: Tensor["shape"]) =>
      list.push({ name: `blk.${i}.${name}.weight`, shape });
    add("attn_norm", embedding);
    add("attn_q", embedding, embedding);
    add("attn_k", embedding, KV_WIDTH);
    add("attn_v", embedding, KV_WIDTH);
    add("attn_output", embedding, embedding);
    add("ffn_norm", embedding);
    add("ffn_gate", embedding, feedForward);
    add("ffn_up", embedding, feedForward);
    add("ffn_down", feedForward, embedding);
  }
  return list;
}

/** Xorshift: the same weights everywhere. */
function randomBytes(seed: number): (target: Uint8Array) => void {
  let state = seed;
  return (target) => {
    for (let i = 0; i < target.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      target[i] = state >>> 8;
    }
  };
}

const sizeOf = ({ shape: [width, rows] }: Tensor): number =>
  rows === undefined ? width * 4 : (width / BLOCK_ELEMENTS) * BLOCK_BYTES * rows;

function content(tensor: Tensor, fill: (target: Uint8Array) => void): Uint8Array {
  const [width, rows] = tensor.shape;
  if (rows === undefined) return new Uint8Array(new Float32Array(width).fill(1).buffer);
  const data = Buffer.allocUnsafe(sizeOf(tensor));
  fill(data);
  for (let at = 0; at < data.length; at += BLOCK_BYTES) data.writeUInt16LE(SCALE_F16, at);
  const rowBytes = data.length / rows;
  if (tensor.zeroRow !== undefined) data.fill(0, tensor.zeroRow * rowBytes, (tensor.zeroRow + 1) * rowBytes);
  return data;
}

const padding = (length: number): Buffer => Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);

/** The path of the model, written at the first call. */
export async function benchModel(): Promise<string> {
  const path = join(PEER_DIR, "bench-125m-signs-q8_0.gguf");
  if (existsSync(path)) return path;
  await mkdir(PEER_DIR, { recursive: true });
  const list = tensors();
  const pairs = new Bytes();
  const pairCount = metadata(pairs);
  const infos = new Bytes();
  let offset = 0;
  for (const tensor of list) {
    infos.text(tensor.name).u32(tensor.shape.length);
    for (const size of tensor.shape) infos.u64(size);
    infos.u32(tensor.shape.length === 1 ? TENSOR_F32 : TENSOR_Q8_0).u64(offset);
    offset += sizeOf(tensor) + padding(sizeOf(tensor)).length;
  }
  const start = new Bytes().u32(0x46554747).u32(3).u64(list.length).u64(pairCount).end();
  const header = Buffer.concat([start, pairs.end(), infos.end()]);
  const file = Bun.file(`${path}.partial`).writer();
  file.write(header);
  file.write(padding(header.length));
  const fill = randomBytes(20_260_301);
  for (const tensor of list) {
    const data = content(tensor, fill);
    file.write(data);
    file.write(padding(data.length));
    await file.flush();
  }
  await file.end();
  await rename(`${path}.partial`, path);
  return path;
}
