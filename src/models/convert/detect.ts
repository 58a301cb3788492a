/** What a path holds: a GGUF file, or a directory that can be converted to one. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { ioError } from "../../core/io-error.ts";
import { hasCheckpoint } from "./checkpoint.ts";
import { ModelConfig } from "./config.ts";
import { cannotConvert } from "./failure.ts";

/** Architectures that are converted; the rest is for llama.cpp's own converter. */
export type ConvertedArchitecture = "t5" | "bert";

export type DetectedModel =
  /** `paths`: the GGUF files, in the order of their names. */
  | { format: "gguf"; paths: string[] }
  | { format: "safetensors"; directory: string; architecture: ConvertedArchitecture };

/** `architectures` and, where a config.json has none, `model_type`. */
const ARCHITECTURES: ReadonlyMap<string, ConvertedArchitecture> = new Map([
  ["T5ForConditionalGeneration", "t5"],
  ["T5WithLMHeadModel", "t5"],
  ["BertModel", "bert"],
  ["BertForMaskedLM", "bert"],
]);
const MODEL_TYPES: ReadonlyMap<string, ConvertedArchitecture> = new Map([
  ["t5", "t5"],
  ["bert", "bert"],
]);
const SUPPORTED = "T5ForConditionalGeneration (T5, FLAN-T5) and BertModel";
const CONVERT_HINT = `From safetensors, ${SUPPORTED} are converted; take other models as a GGUF file`;

/** Weights that Python unpickles, which runs code they hold, and those of other frameworks. */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/\.(bin|pt|pth|ckpt|pkl|pickle)$/i, "a PyTorch pickle, which can run code when it is read"],
  [/\.(h5|msgpack|onnx|pb|tflite|npz|mlmodel)$/i, "of another framework"],
];
const SAFETENSORS_HINT =
  "Take model.safetensors of the same model, or write one with save_pretrained(directory, safe_serialization=True)";

/** @throws SpellError not_found, io, model_invalid: neither of these, saying what was found and what is supported */
export function detectModel(path: string): DetectedModel {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path).isDirectory();
  } catch (error) {
    throw ioError("Cannot import the model", path, error);
  }
  return isDirectory ? detectDirectory(path) : detectFile(path);
}

function detectFile(path: string): DetectedModel {
  if (!statSync(path).isFile())
    throw cannotConvert("it is not a file", path, "Name a .gguf file or a directory");
  const magic = beginningOf(path).toString("latin1");
  if (magic === "GGUF") return { format: "gguf", paths: [path] };
  if (/\.safetensors(\.index\.json)?$/i.test(path))
    throw cannotConvert(
      "a safetensors file holds weights only",
      path,
      "Name its directory, with config.json and the tokenizer in it",
    );
  refuseForeign([basename(path)], path);
  throw cannotConvert("it is not a GGUF file", path, CONVERT_HINT);
}

function detectDirectory(directory: string): DetectedModel {
  let names: string[];
  try {
    names = readdirSync(directory).sort();
  } catch (error) {
    throw ioError("Cannot import the model", directory, error);
  }
  const files = names.filter((name) => /\.gguf$/i.test(name));
  if (files.length > 0) return { format: "gguf", paths: files.map((name) => join(directory, name)) };
  if (!names.includes("config.json")) {
    refuseForeign(names, directory);
    throw cannotConvert(
      names.length === 0 ? "the directory is empty" : "the directory has neither a GGUF file nor config.json",
      directory,
      CONVERT_HINT,
    );
  }
  const architecture = architectureOf(new ModelConfig(directory));
  if (hasCheckpoint(directory)) return { format: "safetensors", directory, architecture };
  refuseForeign(names, directory);
  throw cannotConvert("the directory has config.json and no model.safetensors", directory, SAFETENSORS_HINT);
}

function architectureOf(config: ModelConfig): ConvertedArchitecture {
  const { architecture, modelType } = config;
  const found =
    architecture === undefined ? MODEL_TYPES.get(modelType ?? "") : ARCHITECTURES.get(architecture);
  if (found !== undefined) return found;
  const named = architecture ?? modelType;
  throw cannotConvert(
    named === undefined ? "it names no architecture" : `its architecture is ${named}`,
    config.path,
    CONVERT_HINT,
  );
}

function refuseForeign(names: readonly string[], path: string): void {
  for (const [pattern, what] of FOREIGN) {
    const found = names.find((name) => pattern.test(name));
    if (found !== undefined) throw cannotConvert(`${found} is ${what}`, path, SAFETENSORS_HINT);
  }
}

function beginningOf(path: string): Buffer {
  const descriptor = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(4);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, 4, 0));
  } finally {
    closeSync(descriptor);
  }
}
