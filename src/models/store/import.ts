/** Takes a model into the store: checked, copied beside its place, and moved there in one step. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { detectModel } from "../convert/detect.ts";
import { readGguf } from "../llamacpp/gguf.ts";
import { bundleSource, isBundle } from "./bundle.ts";
import { directorySource } from "./directory-source.ts";
import { ggufSource } from "./gguf-source.ts";
import { formatId, parseNewId } from "./layout.ts";
import { MANIFEST, makeManifest, type StoredFile } from "./manifest.ts";
import { isOllamaDirectory } from "./ollama-directory.ts";
import { checkSpace, moveIntoPlace, refuseExisting, writeDurable } from "./place.ts";
import type { ModelSource } from "./source.ts";
import { Staging } from "./staging.ts";
import type { StoredModel } from "./store.ts";

export interface ImportOptions {
  /** `name[:variant]`; without it, what the source suggests. */
  name?: string;
  /** Which of several models a directory of Ollama's holds. */
  model?: string;
  /** Replaces a model of the same id, and takes a file that is there under another id. */
  force: boolean;
  /** `total` undefined: not known how long it takes. */
  onProgress?: (label: string, done: number, total?: number) => void;
  signal?: AbortSignal;
  /** Tries the file on llama.cpp. @throws SpellError model_invalid */
  probe: (path: string) => Promise<void>;
}

/**
 * @param path a GGUF file (any part of a split set), a bundle, or a directory (directory-source.ts)
 * @param existing the models that are there, to notice a file that is there already
 * @returns the id under which the model now stands
 * @throws not_found, model_invalid, already_exists, invalid_argument, io; nothing is left behind then
 */
export async function importModel(
  root: string,
  path: string,
  existing: readonly StoredModel[],
  options: ImportOptions,
): Promise<string> {
  const source = await sourceOf(path, options);
  return storeSource(root, source, existing, options);
}

async function sourceOf(path: string, options: ImportOptions): Promise<ModelSource> {
  const info = await stat(path).catch((error) => {
    throw ioError(
      "Cannot import the model",
      path,
      error,
      "Check the path; `llmspell model pull` downloads a model by its name",
    );
  });
  if (options.model !== undefined && !(info.isDirectory() && (await isOllamaDirectory(path)))) {
    throw new SpellError(
      "invalid_argument",
      `Cannot import the model: "model" chooses in a models directory of Ollama, which this is not: ${path}`,
      { hint: "Leave it out; the id in the store is chosen by name" },
    );
  }
  if (info.isDirectory()) return directorySource(path, options.model);
  try {
    if (info.isFile() && (await isBundle(path))) return await bundleSource(path);
    detectModel(path);
    return await ggufSource(path);
  } catch (error) {
    throw errnoOf(error) === undefined ? error : ioError("Cannot import the model", path, error);
  }
}

async function storeSource(
  root: string,
  source: ModelSource,
  existing: readonly StoredModel[],
  options: ImportOptions,
): Promise<string> {
  const { suggestedId } = source;
  const chosen = options.name === undefined ? suggestedId : parseNewId(options.name, suggestedId.variant);
  // Names that a source suggests come from outside too.
  const id = parseNewId(formatId(chosen), chosen.variant);
  if (!options.force) await refuseExisting(root, id);
  try {
    await using staging = await Staging.make(root);
    await checkSpace(root, source.sizeBytes, "Cannot import the model");
    if (source.original !== undefined) {
      options.onProgress?.("Checking", 0);
      await options.probe(source.original);
    }
    const report = (label: string, done: number, total: number) => options.onProgress?.(label, done, total);
    const files = await source.write(staging.directory, id, report, options.signal);
    if (!options.force) refuseDuplicate(files, existing);
    const first = join(staging.directory, files[0]!.name);
    if (source.original === undefined) await options.probe(first);
    readGguf(first);
    await writeDurable(
      join(staging.directory, MANIFEST),
      `${JSON.stringify(makeManifest(files, source.name, source.origin), null, 2)}\n`,
    );
    await moveIntoPlace(staging.directory, root, id, options.force);
    return formatId(id);
  } catch (error) {
    throw errnoOf(error) === undefined ? error : ioError("Cannot import the model into", root, error);
  }
}

function refuseDuplicate([first]: readonly StoredFile[], existing: readonly StoredModel[]): void {
  const same = existing.find((model) => model.manifest?.sha256 === first!.sha256);
  if (same === undefined) return;
  throw new SpellError("already_exists", `The same file is already in the store as '${same.id}'`, {
    data: { model: same.id, sha256: first!.sha256 },
    hint: `Use it as local/${same.id}, or import it again with --force`,
  });
}
