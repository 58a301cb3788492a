/** Writes GGUF files, version 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */

/** A metadata entry: its bytes from the key's length on. */
export type Entry = Uint8Array;

/** A tensor's place in the file that is written. */
export interface TensorInfo {
  name: string;
  /** Row length first, as ggml has it. */
  shape: readonly number[];
  /** ggml's number of the type. */
  type: number;
  bytes: number;
}

const VALUE_TYPES = { u8: 0, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const ALIGNMENT = 32;

export const text = (key: string, value: string): Entry =>
  Buffer.concat([string(key), u32(VALUE_TYPES.string), string(value)]);
export const uint = (key: string, value: number): Entry =>
  Buffer.concat([string(key), u32(VALUE_TYPES.u32), u32(value)]);
export const float = (key: string, value: number): Entry =>
  Buffer.concat([string(key), u32(VALUE_TYPES.f32), f32([value])]);
export const flag = (key: string, value: boolean): Entry =>
  Buffer.concat([string(key), u32(VALUE_TYPES.bool), new Uint8Array([Number(value)])]);
export const texts = (key: string, values: readonly string[]): Entry =>
  array(key, VALUE_TYPES.string, values.length, strings(values));
export const floats = (key: string, values: readonly number[]): Entry =>
  array(key, VALUE_TYPES.f32, values.length, f32(values));
export const ints = (key: string, values: readonly number[]): Entry =>
  array(key, VALUE_TYPES.i32, values.length, new Uint8Array(Int32Array.from(values).buffer));
export const blob = (key: string, value: Uint8Array): Entry =>
  array(key, VALUE_TYPES.u8, value.length, value);

/** All that stands before the tensors' data, which follows in the order given, each padded with `paddingOf` its bytes. */
export function ggufHeader(entries: readonly Entry[], tensors: readonly TensorInfo[]): Uint8Array {
  const parts = [
    new TextEncoder().encode("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries,
  ];
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    parts.push(string(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset));
    offset += bytes + paddingOf(bytes);
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, new Uint8Array(paddingOf(header.length))]);
}

/** Bytes after a part of that length, so that the next one is aligned. */
export function paddingOf(bytes: number): number {
  return (ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT;
}

function array(key: string, type: number, length: number, values: Uint8Array): Entry {
  return Buffer.concat([string(key), u32(VALUE_TYPES.array), u32(type), u64(length), values]);
}

function string(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

/** In one piece: a vocabulary has hundreds of thousands. */
function strings(values: readonly string[]): Uint8Array {
  const whole = Buffer.alloc(values.reduce((sum, value) => sum + 8 + Buffer.byteLength(value), 0));
  let at = 0;
  for (const value of values) {
    const bytes = whole.write(value, at + 8);
    whole.writeBigUInt64LE(BigInt(bytes), at);
    at += 8 + bytes;
  }
  return whole;
}

function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

function u64(value: number): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
}

function f32(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}
