/** Number formats of weights: read from safetensors, written to GGUF. Little-endian, as both formats are. */

/** What a safetensors file may hold weights in. */
export const SOURCE_TYPES = ["F32", "F16", "BF16"] as const;
export type SourceType = (typeof SOURCE_TYPES)[number];

/** What is written: ggml's name, its number, bytes of a value, and `general.file_type` of a file of it. */
export const TARGET_TYPES = {
  F32: { type: 0, bytes: 4, fileType: 0 },
  F16: { type: 1, bytes: 2, fileType: 1 },
  BF16: { type: 30, bytes: 2, fileType: 32 },
} as const;
export type TargetType = keyof typeof TARGET_TYPES;

/** @param bytes whole values, at any alignment */
export function decode(bytes: Uint8Array, type: SourceType): Float32Array {
  const aligned = bytes.slice().buffer;
  if (type === "F32") return new Float32Array(aligned);
  if (type === "F16") return Float32Array.from(new Float16Array(aligned));
  return new Float32Array(Uint32Array.from(new Uint16Array(aligned), (bits) => bits << 16).buffer);
}

/** Rounded to the nearest, ties to even. */
export function encode(values: Float32Array, type: TargetType): Uint8Array {
  if (type === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (type === "F16") return new Uint8Array(Float16Array.from(values).buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return new Uint8Array(Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16).buffer);
}

/** The largest finite value of a type. */
export const LARGEST: Readonly<Record<TargetType, number>> = {
  F32: 3.4028234663852886e38,
  F16: 65504,
  BF16: 3.3895313892515355e38,
};
