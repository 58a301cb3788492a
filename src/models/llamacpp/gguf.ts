/** What the header of a model's file, or of its files, says. */
import { checkHyperparameters } from "./gguf-check.ts";
import { invalidModel } from "./gguf-file.ts";
import type { Metadata } from "./gguf-metadata.ts";
import { readParts, tensorsOf } from "./gguf-split.ts";
import type { TensorInfo } from "./gguf-tensors.ts";
import { FILE_TYPES } from "./gguf-types.ts";
import { checkVocabulary } from "./gguf-vocabulary.ts";

export type { MetadataArray, MetadataValue } from "./gguf-metadata.ts";

export interface GgufHeader {
  /** The file, the first one of a model in parts. */
  path: string;
  /** All files, the first part first. */
  files: readonly { path: string; sizeBytes: number }[];
  /** Of all files. */
  sizeBytes: number;
  version: number;
  metadata: Metadata;
  tensors: ReadonlyMap<string, TensorInfo>;
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

/** @throws SpellError not_found, io, model_invalid (missing parts, truncated, corrupt: the text says which) */
export function readGguf(path: string): GgufHeader {
  const files = readParts(path);
  const { version, metadata } = files[0]!;
  const fail = (rule: string) => invalidModel(path, rule);
  const tensors = tensorsOf(files);
  checkHyperparameters(metadata, fail);
  checkVocabulary(metadata, fail);

  const text = (key: string) => {
    const value = metadata.get(key);
    return typeof value === "string" ? value : undefined;
  };
  const architecture = text("general.architecture")!;
  const fileType = metadata.get("general.file_type");
  const contextTokens = metadata.get(`${architecture}.context_length`);
  return {
    path,
    files: files.map((file) => ({ path: file.path, sizeBytes: file.sizeBytes })),
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    version,
    metadata,
    tensors,
    parameterCount: [...tensors.values()].reduce((sum, { elements }) => sum + elements, 0),
    architecture,
    name: text("general.name"),
    quantization: typeof fileType === "number" ? FILE_TYPES[fileType] : undefined,
    contextTokens: typeof contextTokens === "number" ? contextTokens : undefined,
    licence: text("general.license"),
    hasChatTemplate: metadata.has("tokenizer.chat_template"),
  };
}
