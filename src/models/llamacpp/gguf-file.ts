/**
 * One GGUF file's header (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Every count, length and offset is
 * compared with the file's real size, so that llama.cpp's loader, which trusts them in places, only sees files whose parts
 * are there.
 */
import { SpellError } from "../../core/errors.ts";
import { printableLine } from "../../core/printable.ts";
import { withRegularFile } from "../../core/regular-file.ts";
import { FileCursor } from "./file-cursor.ts";
import { type Metadata, readMetadata } from "./gguf-metadata.ts";
import { readTensors, type TensorInfo } from "./gguf-tensors.ts";

export interface GgufFile {
  path: string;
  sizeBytes: number;
  version: number;
  metadata: Metadata;
  tensors: ReadonlyMap<string, TensorInfo>;
}

const MAGIC = 0x46554747; // "GGUF"
const SMALLEST_ENTRY_BYTES = 13; // key length, one-byte value after its type
const SMALLEST_TENSOR_BYTES = 24; // name length, dimension count, type, offset
// llama.cpp compares each name with all before it: more of them would take it minutes
const MOST_ENTRIES = 16_384;
const MOST_TENSORS = 65_536;

/** @throws SpellError not_found, io, model_invalid (missing parts, truncated, corrupt: the text says which) */
export function readGgufFile(path: string): GgufFile {
  const refused = (rule: string) => invalidModel(path, rule);
  return withRegularFile(path, "Cannot open the model", refused, (descriptor, sizeBytes) =>
    parse(path, descriptor, sizeBytes),
  );
}

/** @param rule may quote the file */
export function invalidModel(
  path: string,
  rule: string,
  hint = "Fetch or convert the model again",
): SpellError {
  const shown = printableLine(rule);
  return new SpellError("model_invalid", `Cannot use the model: ${shown}: ${path}`, {
    data: { path, rule: shown },
    hint,
  });
}

function parse(path: string, descriptor: number, sizeBytes: number): GgufFile {
  const fail = (rule: string) => invalidModel(path, rule);
  const cursor = new FileCursor(descriptor, sizeBytes, (what) =>
    fail(`the file of ${sizeBytes} bytes ends within ${what}, or ${what} is corrupt`),
  );
  if (sizeBytes < 4 || cursor.u32("the magic number") !== MAGIC)
    throw invalidModel(path, "it is not a GGUF file", "llmspell runs models in the GGUF format");
  const version = cursor.u32("the version");
  if ((version & 0xffff) === 0)
    throw fail("its numbers are big-endian, for another kind of processor, or it has no version");
  if (version !== 2 && version !== 3) throw fail(`GGUF version ${version} is not 2 or 3`);

  const tensorCount = cursor.u64("the tensor count");
  const entryCount = cursor.u64("the metadata count");
  if (entryCount * SMALLEST_ENTRY_BYTES + tensorCount * SMALLEST_TENSOR_BYTES > cursor.remaining)
    throw fail(
      `${tensorCount} tensors and ${entryCount} metadata entries do not fit into ${sizeBytes} bytes`,
    );
  if (entryCount > MOST_ENTRIES || tensorCount > MOST_TENSORS)
    throw fail(
      `it has more than ${MOST_ENTRIES} metadata entries or ${MOST_TENSORS} tensors: ${entryCount}, ${tensorCount}`,
    );

  const metadata = readMetadata(cursor, entryCount, fail);
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || !Number.isInteger(Math.log2(alignment)))
    throw fail(`the alignment ${String(alignment)} is not a power of two`);
  return { path, sizeBytes, version, metadata, tensors: readTensors(cursor, tensorCount, alignment, fail) };
}
