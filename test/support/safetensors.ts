/** Writes safetensors files (https://github.com/huggingface/safetensors): a length, a JSON header, the data. */
import { writeFileSync } from "node:fs";

export interface PublishedTensor {
  name: string;
  /** Rows first, as PyTorch has it. */
  shape: readonly number[];
  type: "F32" | "F16" | "BF16";
  values: Float32Array;
}

export function writeSafetensors(path: string, tensors: readonly PublishedTensor[]): void {
  const contents = tensors.map(encode);
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  tensors.forEach(({ name, shape, type }, i) => {
    const begin = end;
    end += contents[i]!.length;
    header[name] = { dtype: type, shape, data_offsets: [begin, end] };
  });
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer);
  writeFileSync(path, Buffer.concat([length, text, ...contents]));
}

function encode({ type, values }: PublishedTensor): Uint8Array {
  if (type === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (type === "F16") return new Uint8Array(new Float16Array(values).buffer);
  // the upper half of an f32, rounded to the nearest, to even in the middle
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  const halves = Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16);
  return new Uint8Array(halves.buffer);
}
