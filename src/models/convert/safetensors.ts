/**
 * Headers of safetensors files (https://github.com/huggingface/safetensors#format). Every length, shape and offset is
 * compared with the file's real size before anything of it is read.
 */
import { FileCursor } from "../llamacpp/file-cursor.ts";
import { cannotConvert } from "./failure.ts";
import { withInputFile } from "./input-file.ts";

const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

/** Where a tensor lies in a file. */
export interface StoredTensor {
  name: string;
  dtype: Dtype;
  /** As PyTorch has it: rows first. */
  shape: readonly number[];
  path: string;
  /** From the beginning of the file. */
  offset: number;
  bytes: number;
}

/** Well above what the largest models need; the format's own limit of 100 MB would cost a gigabyte to parse. */
const LONGEST_HEADER_BYTES = 16 << 20;
const MOST_DIMENSIONS = 8;

/** The tensors of a file by name. @throws SpellError not_found, io, model_invalid (the text says what is wrong) */
export function readSafetensors(path: string): Map<string, StoredTensor> {
  return withInputFile(path, (descriptor, sizeBytes) => parse(path, descriptor, sizeBytes));
}

function parse(path: string, descriptor: number, sizeBytes: number): Map<string, StoredTensor> {
  const fail = (rule: string) => cannotConvert(rule, path);
  const cursor = new FileCursor(descriptor, sizeBytes, (what) =>
    fail(`the file of ${sizeBytes} bytes ends within ${what}, or ${what} is corrupt`),
  );
  const headerBytes = cursor.u64("the header's length");
  if (headerBytes > LONGEST_HEADER_BYTES)
    throw fail(`its header of ${headerBytes} bytes is above ${LONGEST_HEADER_BYTES}`);
  const header = parseHeader(cursor.take(headerBytes, "the header"), fail);

  const dataStart = 8 + headerBytes;
  const dataBytes = sizeBytes - dataStart;
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, start, end } = entryOf(name, entry, dataBytes, fail);
    tensors.set(name, { name, dtype, shape, path, offset: dataStart + start, bytes: end - start });
  }
  if (tensors.size === 0) throw fail("it holds no tensors");
  checkPlaces(tensors, dataStart, sizeBytes, fail);
  return tensors;
}

function parseHeader(bytes: Uint8Array, fail: (rule: string) => Error): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw fail(`its header is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw fail("its header is not a JSON object");
  return header as Record<string, unknown>;
}

function entryOf(name: string, entry: unknown, dataBytes: number, fail: (rule: string) => Error) {
  const what = `tensor "${name.slice(0, 80)}"`;
  if (typeof entry !== "object" || entry === null) throw fail(`${what} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, dtype))
    throw fail(`${what} has an unknown type ${shown(dtype)}`);
  if (!isCounts(shape) || shape.length > MOST_DIMENSIONS)
    throw fail(
      `${what} must have a shape of at most ${MOST_DIMENSIONS} whole numbers from 0: ${shown(shape)}`,
    );
  if (!isCounts(offsets) || offsets.length !== 2)
    throw fail(`${what} must have two data_offsets that are whole numbers from 0: ${shown(offsets)}`);
  const [start, end] = offsets as [number, number];
  if (start > end || end > dataBytes)
    throw fail(`${what} is at ${start} to ${end} of the data, which has ${dataBytes} bytes`);
  const bytes = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype as Dtype]);
  if (bytes !== end - start)
    throw fail(
      `${what} of ${shape.join(" × ")} ${dtype} needs ${bytes} bytes and its offsets give ${end - start}`,
    );
  return { dtype: dtype as Dtype, shape, start, end };
}

/** The format wants tensors side by side from the data's beginning to its end: no overlap, no hole. */
function checkPlaces(
  tensors: ReadonlyMap<string, StoredTensor>,
  dataStart: number,
  sizeBytes: number,
  fail: (rule: string) => Error,
): void {
  let end = dataStart;
  for (const { name, offset, bytes } of [...tensors.values()].sort(
    (a, b) => a.offset - b.offset || a.bytes - b.bytes,
  )) {
    if (offset < end) throw fail(`tensor "${name}" overlaps another one`);
    if (offset > end) throw fail(`there are ${offset - end} unused bytes before tensor "${name}"`);
    end = offset + bytes;
  }
  if (end < sizeBytes) throw fail(`there are ${sizeBytes - end} unused bytes after the last tensor`);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "none").slice(0, 80);
}
