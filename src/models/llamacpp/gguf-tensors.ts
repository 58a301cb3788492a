/** The tensor list of a GGUF file: every tensor's place is checked against the file. */
import type { FileCursor } from "./file-cursor.ts";
import type { Fail } from "./gguf-metadata.ts";
import { TENSOR_TYPES } from "./gguf-types.ts";

export interface TensorInfo {
  /** Row length first. */
  shape: readonly number[];
  /** As ggml names it: `Q4_K`. */
  type: string;
  elements: number;
  bytes: number;
}

const LONGEST_NAME_BYTES = 63;
const MOST_DIMENSIONS = 4;

/** @param alignment a power of two */
export function readTensors(
  cursor: FileCursor,
  count: number,
  alignment: number,
  fail: Fail,
): Map<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  const pad = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
  let next = 0;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const name = cursor.text(`the name of tensor ${i}`, LONGEST_NAME_BYTES);
    if (tensors.has(name)) throw fail(`tensor ${i} has a repeated name: "${name}"`);
    const what = `tensor "${name}"`;
    const tensor = readTensor(cursor, what, fail);
    const offset = cursor.u64(what);
    if (offset !== next) throw fail(`${what} is at ${offset} of the data where ${next} is expected`);
    tensors.set(name, tensor);
    end = next + tensor.bytes;
    next = pad(end);
  }
  const needed = count === 0 ? 0 : pad(cursor.offset) + end;
  if (needed > cursor.sizeBytes)
    throw fail(`its tensors need ${needed} bytes and the file has ${cursor.sizeBytes}: it is truncated`);
  return tensors;
}

function readTensor(cursor: FileCursor, what: string, fail: Fail): TensorInfo {
  const dimensions = cursor.u32(what);
  if (dimensions > MOST_DIMENSIONS)
    throw fail(`${what} has ${dimensions} dimensions, more than ${MOST_DIMENSIONS}`);
  const shape = Array.from({ length: dimensions }, () => cursor.u64(what));
  const number = cursor.u32(what);
  const known = TENSOR_TYPES[number];
  if (known === undefined) throw fail(`${what} has an unknown type ${number}`);
  const [type, blockElements, blockBytes] = known;
  if ((shape[0] ?? 1) % blockElements !== 0)
    throw fail(`${what} has rows that are no multiple of ${blockElements}`);
  const elements = shape.reduce((product, n) => product * n, 1);
  const bytes = (elements / blockElements) * blockBytes;
  if (!Number.isSafeInteger(bytes) || bytes === 0 || bytes > cursor.sizeBytes)
    throw fail(`${what} of ${shape.join(" × ")} does not fit into ${cursor.sizeBytes} bytes`);
  return { shape, type, elements, bytes };
}
