/**
 * Converts a directory with config.json, safetensors and a tokenizer to a GGUF file, by the rules of llama.cpp's
 * convert_hf_to_gguf.py. Tensors pass one after another in pieces, so that memory does not grow with the model.
 */
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { ioError } from "../../core/io-error.ts";
import { writeAll } from "../../security/replace-file.ts";
import { planBert } from "./bert.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { ModelConfig } from "./config.ts";
import { type ConvertedArchitecture, detectModel } from "./detect.ts";
import { cannotConvert } from "./failure.ts";
import { TARGET_TYPES, type TargetType } from "./floats.ts";
import { type Entry, ggufHeader, paddingOf, text, uint } from "./gguf-writer.ts";
import { readInputFile } from "./input-file.ts";
import type { Plan, PlannedTensor } from "./plan.ts";
import { planT5 } from "./t5.ts";
import { copyTensor } from "./tensor-copy.ts";

export interface ConvertOptions {
  signal?: AbortSignal | undefined;
  /** In bytes of the new file. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Of matrices. Default: BF16 where the source has it, else F16. */
  type?: TargetType;
}

export interface Converted {
  architecture: ConvertedArchitecture;
  type: TargetType;
  sizeBytes: number;
}

const PLANS = { t5: planT5, bert: planBert };
const QUANTIZATION_VERSION = 2; // GGML_QUANT_VERSION
const LONGEST_README_BYTES = 4 << 20;

/**
 * @param targetPath the GGUF file, which is replaced where there is one; it appears when it is complete
 * @throws SpellError model_invalid (what is wrong with the directory), not_found, io; the signal's reason
 */
export async function convertDirectory(
  directory: string,
  targetPath: string,
  options: ConvertOptions = {},
): Promise<Converted> {
  const detected = detectModel(directory);
  if (detected.format !== "safetensors")
    throw cannotConvert("it holds a GGUF file, which needs no conversion", directory);
  const { architecture } = detected;
  const checkpoint = readCheckpoint(directory);
  const plan = PLANS[architecture](directory, new ModelConfig(directory), checkpoint);
  const type = options.type ?? typeOf(checkpoint);
  const partPath = `${targetPath}.part-${process.pid}`;
  try {
    const sizeBytes = await writeModel(partPath, general(directory, architecture, type), plan, type, options);
    await rename(partPath, targetPath);
    return { architecture, type, sizeBytes };
  } catch (error) {
    await rm(partPath, { force: true });
    options.signal?.throwIfAborted();
    throw ioError("Cannot write the model", targetPath, error);
  }
}

async function writeModel(
  path: string,
  entries: readonly Entry[],
  plan: Plan,
  type: TargetType,
  { signal, onProgress }: ConvertOptions,
): Promise<number> {
  const tensors = plan.tensors.map((tensor) => ({ tensor, info: infoOf(tensor, type) }));
  const header = ggufHeader(
    [...entries, ...plan.entries],
    tensors.map(({ info }) => info),
  );
  const totalBytes = tensors.reduce(
    (sum, { info }) => sum + info.bytes + paddingOf(info.bytes),
    header.length,
  );
  await using file = await open(path, "wx", 0o600);
  await writeAll(file, header);
  let done = header.length;
  for (const { tensor, info } of tensors) {
    await copyTensor(file, tensor, tensor.isF32 ? "F32" : type, (bytes) => {
      signal?.throwIfAborted();
      done += bytes;
      onProgress?.(done, totalBytes);
    });
    await writeAll(file, new Uint8Array(paddingOf(info.bytes)));
    done += paddingOf(info.bytes);
  }
  await file.sync();
  return totalBytes;
}

function infoOf({ name, source, isF32 }: PlannedTensor, type: TargetType) {
  const target = TARGET_TYPES[isF32 ? "F32" : type];
  const values = source.shape.reduce((product, n) => product * n, 1);
  return { name, shape: [...source.shape].reverse(), type: target.type, bytes: values * target.bytes };
}

/** What a directory's matrices become unless another type is asked for. @throws SpellError not_found, io, model_invalid */
export function targetTypeOf(directory: string): TargetType {
  return typeOf(readCheckpoint(directory));
}

/** As convert_hf_to_gguf.py guesses from the first matrix. */
function typeOf(checkpoint: Checkpoint): TargetType {
  const matrix = [...checkpoint.values()].find(({ shape }) => shape.length > 1);
  return matrix?.dtype === "BF16" ? "BF16" : "F16";
}

function general(directory: string, architecture: ConvertedArchitecture, type: TargetType): Entry[] {
  const licence = licenceOf(join(directory, "README.md"));
  return [
    text("general.architecture", architecture),
    text("general.type", "model"),
    text("general.name", basename(resolve(directory))),
    ...(licence === undefined ? [] : [text("general.license", licence)]),
    uint("general.file_type", TARGET_TYPES[type].fileType),
    uint("general.quantization_version", QUANTIZATION_VERSION),
  ];
}

/** What a model card states in its front matter. */
function licenceOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const card = readInputFile(path, LONGEST_README_BYTES).toString();
  const matter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card)?.[1] ?? "";
  return /^license:[ \t]*["']?([\w.-]+)/m.exec(matter)?.[1];
}
