/** GGUF files of the user's disk: one, or all parts of a split set. */
import { basename, dirname, join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { readGguf } from "../llamacpp/gguf.ts";
import { copyHashed } from "./copy.ts";
import { type ModelId, partSuffix, splitPart, storedName, suggestId } from "./layout.ts";
import type { Origin, StoredFile } from "./manifest.ts";
import type { ModelSource } from "./source.ts";

export interface GgufSourceOptions {
  /** The id that is told besides the file, where one is. */
  suggestedId?: ModelId;
  name?: string;
  origin?: Origin;
  /** Hex SHA-256 that the file must have. */
  sha256?: string;
}

/** @param path any part of a split set, or the whole model @throws not_found, io, model_invalid */
export async function ggufSource(path: string, options: GgufSourceOptions = {}): Promise<ModelSource> {
  const { files: parts, sizeBytes, quantization } = readGguf(firstPartOf(path));
  return {
    suggestedId: options.suggestedId ?? suggestId(basename(path), quantization),
    name: options.name ?? basename(parts[0]!.path),
    sizeBytes,
    origin: options.origin ?? {},
    original: parts[0]!.path,
    async write(directory, id, report, signal) {
      const files: StoredFile[] = [];
      let before = 0;
      for (const [i, { path: from, sizeBytes: size }] of parts.entries()) {
        const name = storedName(id, i, parts.length);
        const onProgress = (done: number) => report("Importing", before + done, sizeBytes);
        const sha256 = await copyHashed(from, join(directory, name), size, { onProgress, signal });
        if (options.sha256 !== undefined && sha256 !== options.sha256) throw damaged(from);
        files.push({ name, sizeBytes: size, sha256 });
        before += size;
      }
      return files;
    },
  };
}

function firstPartOf(path: string): string {
  const part = splitPart(basename(path));
  if (part === undefined || part.number === 1) return path;
  const extension = path.slice(path.lastIndexOf("."));
  return join(dirname(path), `${part.stem}${partSuffix(0, part.count)}${extension}`);
}

function damaged(path: string): SpellError {
  return new SpellError(
    "model_invalid",
    `Cannot import the model: its SHA-256 is not the one on record: ${path}`,
    {
      data: { path },
      hint: "The file is damaged; fetch it again",
    },
  );
}
