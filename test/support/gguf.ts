/** Writes GGUF files (version 3), and takes single metadata entries out of others. Shares no code with the reader in src. */
import { readFileSync, writeFileSync } from "node:fs";

export type TensorType = "F32" | "F16" | "Q8_0";

export interface Tensor {
  name: string;
  /** Row length first, as ggml has it. */
  shape: readonly number[];
  type: TensorType;
  values: Float32Array;
}

/** A metadata entry: its bytes from the key's length on. */
export type Entry = Uint8Array;

const TYPES = { u16: 2, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const TENSOR_TYPES: Record<TensorType, number> = { F32: 0, F16: 1, Q8_0: 8 };
const ALIGNMENT = 32;

export const text = (key: string, value: string): Entry =>
  Buffer.concat([string(key), u32(TYPES.string), string(value)]);
export const uint = (key: string, value: number): Entry =>
  Buffer.concat([string(key), u32(TYPES.u32), u32(value)]);
export const short = (key: string, value: number): Entry =>
  Buffer.concat([string(key), u32(TYPES.u16), u16(value)]);
export const int = (key: string, value: number): Entry =>
  Buffer.concat([string(key), u32(TYPES.i32), u32(value)]);
export const float = (key: string, value: number): Entry =>
  Buffer.concat([string(key), u32(TYPES.f32), f32(value)]);
export const flag = (key: string, value: boolean): Entry =>
  Buffer.concat([string(key), u32(TYPES.bool), new Uint8Array([Number(value)])]);
export const texts = (key: string, values: readonly string[]): Entry =>
  Buffer.concat([
    string(key),
    u32(TYPES.array),
    u32(TYPES.string),
    u64(values.length),
    ...values.map(string),
  ]);
export const floats = (key: string, values: readonly number[]): Entry =>
  Buffer.concat([string(key), u32(TYPES.array), u32(TYPES.f32), u64(values.length), ...values.map(f32)]);
export const ints = (key: string, values: readonly number[]): Entry =>
  Buffer.concat([string(key), u32(TYPES.array), u32(TYPES.i32), u64(values.length), ...values.map(u32)]);

export function writeGguf(path: string, entries: readonly Entry[], tensors: readonly Tensor[]): void {
  const parts = [
    new TextEncoder().encode("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries,
  ];
  const contents = tensors.map(encode);
  let offset = 0;
  tensors.forEach((tensor, i) => {
    const { name, shape, type } = tensor;
    parts.push(string(name), u32(shape.length), ...shape.map(u64), u32(TENSOR_TYPES[type]), u64(offset));
    offset += padded(contents[i]!.length);
  });
  const header = Buffer.concat(parts);
  writeFileSync(path, Buffer.concat([pad(header), ...contents.map(pad)]));
}

/** Writes `NAME-00001-of-0000N.gguf` and following, as llama.cpp's gguf-split does. Returns the paths. */
export function writeSplitGguf(
  prefix: string,
  entries: readonly Entry[],
  tensors: readonly Tensor[],
  count: number,
): string[] {
  const number = (n: number) => String(n).padStart(5, "0");
  const each = Math.ceil(tensors.length / count);
  return Array.from({ length: count }, (_, i) => {
    const path = `${prefix}-${number(i + 1)}-of-${number(count)}.gguf`;
    const own = [
      short("split.no", i),
      short("split.count", count),
      int("split.tensors.count", tensors.length),
    ];
    writeGguf(path, [...(i === 0 ? entries : []), ...own], tensors.slice(i * each, (i + 1) * each));
    return path;
  });
}

/** The entries of another file whose key begins with `prefix`, as they stand there. */
export function copyEntries(path: string, prefix: string): Entry[] {
  const file = readFileSync(path);
  const count = Number(file.readBigUInt64LE(16));
  const found: Entry[] = [];
  let at = 24;
  const stringEnd = (start: number) => start + 8 + Number(file.readBigUInt64LE(start));
  const valueEnd = (type: number, start: number): number => {
    if (type === TYPES.string) return stringEnd(start);
    if (type !== TYPES.array) return start + [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][type]!;
    const element = file.readUInt32LE(start);
    const length = Number(file.readBigUInt64LE(start + 4));
    let end = start + 12;
    for (let i = 0; i < length; i++) end = valueEnd(element, end);
    return end;
  };
  for (let i = 0; i < count; i++) {
    const keyEnd = stringEnd(at);
    const end = valueEnd(file.readUInt32LE(keyEnd), keyEnd + 4);
    if (file.toString("utf8", at + 8, keyEnd).startsWith(prefix)) found.push(file.subarray(at, end));
    at = end;
  }
  return found;
}

export function keyOf(entry: Entry): string {
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
  return bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE()));
}

/** The strings of another file's array; empty where it has none of that name. */
export function stringsOf(path: string, key: string): string[] {
  const entry = copyEntries(path, key).find((e) => Buffer.from(e).readBigUInt64LE() === BigInt(key.length));
  if (entry === undefined) return [];
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
  const found: string[] = [];
  for (let at = 8 + key.length + 16; at < bytes.length; ) {
    const end = at + 8 + Number(bytes.readBigUInt64LE(at));
    found.push(bytes.toString("utf8", at + 8, end));
    at = end;
  }
  return found;
}

function encode({ name, shape, type, values }: Tensor): Uint8Array {
  if (shape.reduce((a, b) => a * b, 1) !== values.length) throw new Error(`${name}: shape and values differ`);
  if (type === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (type === "F16") return new Uint8Array(new Float16Array(values).buffer);
  // ggml's quantize_row_q8_0_ref: blocks of 32, an f16 scale and 32 signed bytes
  const blocks = new DataView(new ArrayBuffer((values.length / 32) * 34));
  for (let b = 0; b < values.length / 32; b++) {
    const block = values.subarray(b * 32, b * 32 + 32);
    const scale = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
    blocks.setFloat16(b * 34, scale, true);
    for (let i = 0; i < 32; i++)
      blocks.setInt8(b * 34 + 2 + i, scale === 0 ? 0 : Math.round(block[i]! / scale));
  }
  return new Uint8Array(blocks.buffer);
}

function string(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u16(value: number): Uint8Array {
  return new Uint8Array(new Uint16Array([value]).buffer);
}

function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

function u64(value: number): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
}

function f32(value: number): Uint8Array {
  return new Uint8Array(new Float32Array([value]).buffer);
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function pad(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array(padded(bytes.length) - bytes.length)]);
}
