/** The metadata of a GGUF file: of what is long only the shape is kept, so that a file cannot fill the memory. */
import { checkCharsmap } from "../convert/charsmap.ts";
import type { FileCursor } from "./file-cursor.ts";
import { ARRAY_TYPE, SCALAR_BYTES, STRING_TYPE } from "./gguf-types.ts";

export type MetadataValue = string | number | bigint | boolean | MetadataArray;
export type Metadata = ReadonlyMap<string, MetadataValue>;
export type Fail = (rule: string) => Error;

/** An array's shape; numbers only where there are few of them. */
export interface MetadataArray {
  type: number;
  length: number;
  numbers?: number[];
}

const KEPT_TEXT_BYTES = 4096;
const KEPT_ARRAY_LENGTH = 1024; // one number a layer
const LONGEST_KEY_BYTES = 65_535; // of the specification
const MOST_TOKENS = 1 << 22; // sixteen times the largest vocabulary
const LONGEST_TOKEN_BYTES = 65_536;
const LONGEST_CHARSMAP_BYTES = 4 << 20;
const SPLIT_NUMBER_TYPE = 2; // u16: llama.cpp aborts on others

export function readMetadata(cursor: FileCursor, count: number, fail: Fail): Map<string, MetadataValue> {
  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < count; i++) {
    const key = cursor.text(`the name of metadata entry ${i}`, LONGEST_KEY_BYTES);
    if (key === "" || metadata.has(key))
      throw fail(`metadata entry ${i} has an empty or repeated name: "${key.slice(0, 80)}"`);
    metadata.set(key, readValue(cursor, key, fail));
  }
  return metadata;
}

function readValue(cursor: FileCursor, key: string, fail: Fail): MetadataValue {
  const what = `the value of "${key.slice(0, 80)}"`;
  const type = cursor.u32(what);
  if (key === "split.no" && type !== SPLIT_NUMBER_TYPE) throw fail(`${what} has the type ${type}`);
  if (type === STRING_TYPE) return readText(cursor, what);
  if (type === ARRAY_TYPE) return readArray(cursor, key, what, fail);
  return readScalar(cursor, type, what, fail);
}

/** A long text only as far as it is kept. */
function readText(cursor: FileCursor, what: string): string {
  const length = cursor.u64(what);
  const kept = cursor.take(Math.min(length, KEPT_TEXT_BYTES), what).toString();
  cursor.skip(Math.max(0, length - KEPT_TEXT_BYTES), what);
  return kept;
}

function readArray(cursor: FileCursor, key: string, what: string, fail: Fail): MetadataArray {
  const type = cursor.u32(what);
  const length = cursor.u64(what);
  if (type === STRING_TYPE) {
    if (length * 8 > cursor.remaining) throw fail(`${what} has ${length} strings, more than the file holds`);
    if (key === "tokenizer.ggml.tokens") checkTokens(cursor, length, what, fail);
    else cursor.skipStrings(length, what);
    return { type, length };
  }
  const bytes = SCALAR_BYTES[type];
  if (bytes === undefined) throw fail(`${what} has an unknown element type ${type}`);
  if (key === "tokenizer.ggml.precompiled_charsmap" && bytes === 1) {
    if (length > LONGEST_CHARSMAP_BYTES) throw fail(`${what} has ${length} bytes`);
    checkCharsmap(cursor.take(length, what), fail);
    return { type, length };
  }
  if (length > KEPT_ARRAY_LENGTH) {
    cursor.skip(length * bytes, what);
    return { type, length };
  }
  const numbers = Array.from({ length }, () => Number(readScalar(cursor, type, what, fail)));
  return { type, length, numbers };
}

/** llama.cpp aborts the process on repeated tokens; it renames empty ones. */
function checkTokens(cursor: FileCursor, length: number, what: string, fail: Fail): void {
  if (length > MOST_TOKENS) throw fail(`the vocabulary has ${length} tokens, more than ${MOST_TOKENS}`);
  const distinct = new Set<string>();
  for (let i = 0; i < length; i++) {
    const bytes = cursor.bytes(what, LONGEST_TOKEN_BYTES);
    const zero = bytes.indexOf(0); // a token ends there for llama.cpp
    distinct.add(bytes.toString("latin1", 0, zero < 0 ? bytes.length : zero) || `[EMPTY_${i}]`);
  }
  if (distinct.size < length)
    throw fail(`the vocabulary has ${length} tokens of which only ${distinct.size} differ`);
}

function readScalar(cursor: FileCursor, type: number, what: string, fail: Fail): number | bigint | boolean {
  const size = SCALAR_BYTES[type];
  if (size === undefined) throw fail(`${what} has an unknown type ${type}`);
  const bytes = cursor.take(size, what);
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  switch (type) {
    case 0:
      return view.getUint8(0);
    case 1:
      return view.getInt8(0);
    case 2:
      return view.getUint16(0, true);
    case 3:
      return view.getInt16(0, true);
    case 4:
      return view.getUint32(0, true);
    case 5:
      return view.getInt32(0, true);
    case 6:
      return view.getFloat32(0, true);
    case 7:
      return view.getUint8(0) !== 0;
    case 10:
      return narrow(view.getBigUint64(0, true));
    case 11:
      return narrow(view.getBigInt64(0, true));
    default:
      return view.getFloat64(0, true);
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
