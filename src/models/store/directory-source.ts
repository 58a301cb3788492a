/** A directory of the user's disk: GGUF files, safetensors with a configuration, or Ollama's own store. */
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { detectModel } from "../convert/detect.ts";
import type { TargetType } from "../convert/floats.ts";
import { hashFile } from "./copy.ts";
import { ggufSource } from "./gguf-source.ts";
import { type ModelId, safeName, splitPart, storedName } from "./layout.ts";
import type { Origin } from "./manifest.ts";
import { isOllamaDirectory, ollamaSource } from "./ollama-directory.ts";
import type { ModelSource } from "./source.ts";

/** @param wanted which of several models, for Ollama's store @throws not_found, io, model_invalid, invalid_argument */
export async function directorySource(directory: string, wanted: string | undefined): Promise<ModelSource> {
  if (await isOllamaDirectory(directory)) return ollamaSource(directory, wanted);
  const detected = detectModel(directory);
  if (detected.format === "safetensors") {
    const { targetTypeOf } = await import("../convert/convert.ts");
    const name = safeName(basename(resolve(directory)));
    return convertedSource(directory, { name, variant: targetTypeOf(directory) }, {});
  }
  const firsts = detected.paths.filter((path) => (splitPart(basename(path))?.number ?? 1) === 1);
  if (firsts.length === 1) return ggufSource(firsts[0]!);
  throw new SpellError("invalid_argument", `Cannot choose a model: the directory has several: ${directory}`, {
    data: { path: directory, files: firsts },
    hint: `Name one of its files: ${firsts.map((path) => basename(path)).join(", ")}`,
  });
}

/** Safetensors that become GGUF. @param type of the matrices; their own where it is left out */
export function convertedSource(
  directory: string,
  suggestedId: ModelId,
  origin: Origin,
  type?: TargetType,
): ModelSource {
  return {
    suggestedId,
    name: basename(resolve(directory)),
    sizeBytes: 0,
    origin,
    async write(target, id, report, signal) {
      const { convertDirectory } = await import("../convert/convert.ts");
      const name = storedName(id, 0, 1);
      const path = join(target, name);
      const onProgress = (done: number, total: number) => report("Converting", done, total);
      await convertDirectory(directory, path, { signal, onProgress, ...(type && { type }) });
      const { size } = await stat(path);
      return [{ name, sizeBytes: size, sha256: await hashFile(path, signal) }];
    },
  };
}
