/**
 * The header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Every count, length and offset
 * is compared with the file's real size, so that llama.cpp's loader, which trusts them in places, only sees files whose
 * parts are there.
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { SpellError } from "../../core/errors.ts";
import { FileCursor } from "./file-cursor.ts";
import { checkHyperparameters } from "./gguf-check.ts";
import { ARRAY_TYPE, FILE_TYPES, SCALAR_BYTES, STRING_TYPE, TENSOR_TYPES } from "./gguf-types.ts";

export type MetadataValue = string | number | bigint | boolean | MetadataArray;

/** An array's shape; numbers only where there are few of them. */
export interface MetadataArray {
  type: number;
  length: number;
  numbers?: number[];
}

export interface GgufHeader {
  path: string;
  sizeBytes: number;
  version: number;
  metadata: ReadonlyMap<string, MetadataValue>;
  tensorCount: number;
  parameterCount: number;
  /** `llama`, `qwen2`, … */
  architecture: string;
  name: string | undefined;
  /** As people write it: `Q4_K_M`, `F16`. */
  quantization: string | undefined;
  contextTokens: number | undefined;
  licence: string | undefined;
  hasChatTemplate: boolean;
}

const MAGIC = 0x46554747; // "GGUF"
const SMALLEST_ENTRY_BYTES = 13; // key length, one-byte value after its type
const SMALLEST_TENSOR_BYTES = 24; // name length, dimension count, type, offset
const KEPT_STRING_BYTES = 4 << 20;
const KEPT_ARRAY_LENGTH = 1024; // one number a layer
const LONGEST_TENSOR_NAME = 63;
const MOST_DIMENSIONS = 4;

/** @throws SpellError not_found, io, model_invalid (missing parts, truncated, corrupt: the text says which) */
export function readGguf(path: string): GgufHeader {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new SpellError("not_found", `Cannot open the model: the file is not found: ${path}`, {
        cause,
        data: { path },
      });
    throw new SpellError("io", `Cannot open the model: ${code}: ${path}`, { cause, data: { path } });
  }
  try {
    const info = fstatSync(descriptor);
    if (!info.isFile()) throw invalid(path, "it is not a file");
    return parse(path, descriptor, info.size);
  } finally {
    closeSync(descriptor);
  }
}

function invalid(path: string, rule: string, hint = "Fetch or convert the model again"): SpellError {
  return new SpellError("model_invalid", `Cannot use the model: ${rule}: ${path}`, {
    data: { path, rule },
    hint,
  });
}

function parse(path: string, descriptor: number, sizeBytes: number): GgufHeader {
  const fail = (rule: string) => invalid(path, rule);
  const cursor = new FileCursor(descriptor, sizeBytes, (what) =>
    fail(`the file of ${sizeBytes} bytes ends within ${what}, or ${what} is corrupt`),
  );
  if (sizeBytes < 4 || cursor.u32("the magic number") !== MAGIC)
    throw invalid(path, "it is not a GGUF file", "llmspell runs models in the GGUF format");
  const version = cursor.u32("the version");
  if (version !== 2 && version !== 3) throw fail(`GGUF version ${version} is not 2 or 3`);

  const tensorCount = cursor.u64("the tensor count");
  const entryCount = cursor.u64("the metadata count");
  if (entryCount * SMALLEST_ENTRY_BYTES + tensorCount * SMALLEST_TENSOR_BYTES > cursor.remaining)
    throw fail(
      `${tensorCount} tensors and ${entryCount} metadata entries do not fit into ${sizeBytes} bytes`,
    );

  const metadata = readMetadata(cursor, entryCount, fail);
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || !Number.isInteger(Math.log2(alignment)))
    throw fail(`the alignment ${String(alignment)} is not a power of two`);
  const parameterCount = checkTensors(cursor, tensorCount, alignment, fail);
  checkHyperparameters(metadata, fail);

  const text = (key: string) => {
    const value = metadata.get(key);
    return typeof value === "string" ? value : undefined;
  };
  const architecture = text("general.architecture")!;
  const fileType = metadata.get("general.file_type");
  const contextTokens = metadata.get(`${architecture}.context_length`);
  return {
    path,
    sizeBytes,
    version,
    metadata,
    tensorCount,
    parameterCount,
    architecture,
    name: text("general.name"),
    quantization: typeof fileType === "number" ? FILE_TYPES[fileType] : undefined,
    contextTokens: typeof contextTokens === "number" ? contextTokens : undefined,
    licence: text("general.license"),
    hasChatTemplate: metadata.has("tokenizer.chat_template"),
  };
}

function readMetadata(
  cursor: FileCursor,
  count: number,
  fail: (rule: string) => Error,
): Map<string, MetadataValue> {
  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < count; i++) {
    const key = cursor.bytes(`the name of metadata entry ${i}`).toString();
    if (key === "" || metadata.has(key))
      throw fail(`metadata entry ${i} has an empty or repeated name: "${key}"`);
    metadata.set(key, readValue(cursor, key, fail));
  }
  return metadata;
}

function readValue(cursor: FileCursor, key: string, fail: (rule: string) => Error): MetadataValue {
  const what = `the value of "${key}"`;
  const type = cursor.u32(what);
  if (type === STRING_TYPE) {
    const bytes = cursor.bytes(what);
    return bytes.length > KEPT_STRING_BYTES ? "" : bytes.toString();
  }
  if (type !== ARRAY_TYPE) return readScalar(cursor, type, what, fail);

  const elementType = cursor.u32(what);
  const length = cursor.u64(what);
  if (elementType === STRING_TYPE) {
    if (length * 8 > cursor.remaining) throw fail(`${what} has ${length} strings, more than the file holds`);
    if (key === "tokenizer.ggml.tokens") checkTokens(cursor, length, what, fail);
    else cursor.skipStrings(length, what);
    return { type: elementType, length };
  }
  const bytes = SCALAR_BYTES[elementType];
  if (bytes === undefined) throw fail(`${what} has an unknown element type ${elementType}`);
  if (length > KEPT_ARRAY_LENGTH) {
    cursor.skip(length * bytes, what);
    return { type: elementType, length };
  }
  const numbers = Array.from({ length }, () => Number(readScalar(cursor, elementType, what, fail)));
  return { type: elementType, length, numbers };
}

/** llama.cpp aborts the process on repeated tokens; it renames empty ones. */
function checkTokens(cursor: FileCursor, length: number, what: string, fail: (rule: string) => Error): void {
  const distinct = new Set<string>();
  let empty = 0;
  for (let i = 0; i < length; i++) {
    const bytes = cursor.bytes(what);
    const zero = bytes.indexOf(0); // a token ends there for llama.cpp
    const token = bytes.toString("latin1", 0, zero < 0 ? bytes.length : zero);
    if (token === "") empty++;
    else distinct.add(token);
  }
  if (distinct.size + empty < length)
    throw fail(`the vocabulary has ${length} tokens of which only ${distinct.size + empty} differ`);
}

function readScalar(
  cursor: FileCursor,
  type: number,
  what: string,
  fail: (rule: string) => Error,
): number | bigint | boolean {
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

/** Checks every tensor's place against the file. Returns the number of parameters. */
function checkTensors(
  cursor: FileCursor,
  count: number,
  alignment: number,
  fail: (rule: string) => Error,
): number {
  const names = new Set<string>();
  const pad = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
  let parameters = 0;
  let end = 0;
  let lastBytes = 0;
  for (let i = 0; i < count; i++) {
    const nameBytes = cursor.bytes(`the name of tensor ${i}`);
    const name = nameBytes.toString();
    if (nameBytes.length > LONGEST_TENSOR_NAME || names.has(name))
      throw fail(
        `tensor ${i} has a repeated name or one above ${LONGEST_TENSOR_NAME} bytes: "${name.slice(0, 80)}"`,
      );
    names.add(name);

    const what = `tensor "${name}"`;
    const dimensions = cursor.u32(what);
    if (dimensions > MOST_DIMENSIONS)
      throw fail(`${what} has ${dimensions} dimensions, more than ${MOST_DIMENSIONS}`);
    const shape = Array.from({ length: dimensions }, () => cursor.u64(what));
    const typeNumber = cursor.u32(what);
    const type = TENSOR_TYPES[typeNumber];
    if (type === undefined) throw fail(`${what} has an unknown type ${typeNumber}`);
    const [, blockElements, blockBytes] = type;
    if ((shape[0] ?? 1) % blockElements !== 0)
      throw fail(`${what} has rows that are no multiple of ${blockElements}`);
    const elements = shape.reduce((product, n) => product * n, 1);
    const bytes = (elements / blockElements) * blockBytes;
    const offset = cursor.u64(what);
    if (offset !== end) throw fail(`${what} is at ${offset} of the data where ${end} is expected`);
    if (!Number.isSafeInteger(bytes) || bytes === 0 || bytes > cursor.sizeBytes)
      throw fail(`${what} of ${shape.join(" × ")} does not fit into ${cursor.sizeBytes} bytes`);
    parameters += elements;
    end += pad(bytes);
    lastBytes = bytes;
  }
  if (count > 0) {
    const needed = pad(cursor.offset) + end - pad(lastBytes) + lastBytes;
    if (needed > cursor.sizeBytes)
      throw fail(`its tensors need ${needed} bytes and the file has ${cursor.sizeBytes}: it is truncated`);
  }
  return parameters;
}
