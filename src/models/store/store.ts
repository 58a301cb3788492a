/** The local models on disk: GGUF files, each in a directory of its own (layout.ts). */
import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { ioError } from "../../security/io-error.ts";
import { idOfSegments } from "./layout.ts";

export interface StoredModel {
  /** `name:variant`, or the directory's name in the old layout. */
  id: string;
  /** The store directory it lies under. */
  root: string;
  directory: string;
  /** The GGUF file. */
  path: string;
  sizeBytes: number;
  /** Seconds since 1970. */
  modifiedAt: number;
  manifest: Manifest | undefined;
}

/** `model.json` beside an imported model. */
export interface Manifest {
  /** Hex SHA-256 of the GGUF file. */
  sha256: string;
  sizeBytes: number;
  /** Name of the imported file, without its directory. */
  sourceName: string;
  /** ISO 8601. */
  importedAt: string;
}

export const MANIFEST = "model.json";
/** Directories below the root: name, variant. */
const DEEPEST = 2;

export class ModelStore {
  /**
   * @param root where models are imported to
   * @param others further directories that are read, the old names of the store
   */
  constructor(
    readonly root: string,
    private readonly others: readonly string[],
  ) {}

  /** All models by id; a model in `root` hides one of the same id elsewhere. Absent directories hold none. */
  async list(): Promise<StoredModel[]> {
    const models = new Map<string, StoredModel>();
    for (const root of new Set([this.root, ...this.others])) {
      for await (const model of modelsBelow(root, [])) if (!models.has(model.id)) models.set(model.id, model);
    }
    return [...models.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /**
   * The model of an id in any case of letters. Without a variant: the only one, else the preferred, else `latest`.
   * @param others ids that are known besides, for the hint
   * @throws not_found with the nearest ids, invalid_argument where several variants fit
   */
  async find(id: string, preferredVariant?: string, others: readonly string[] = []): Promise<StoredModel> {
    const models = await this.list();
    const wanted = id.trim().toLowerCase();
    const exact = models.find((model) => model.id.toLowerCase() === wanted);
    if (exact !== undefined) return exact;
    const variants = models.filter((model) => model.id.toLowerCase().startsWith(`${wanted}:`));
    if (variants.length === 1) return variants[0]!;
    for (const variant of [preferredVariant, "latest"]) {
      const found = variants.find(
        (model) => model.id.toLowerCase() === `${wanted}:${variant?.toLowerCase()}`,
      );
      if (found !== undefined) return found;
    }
    if (variants.length > 1) {
      const ids = variants.map((model) => model.id);
      throw new SpellError("invalid_argument", `Cannot choose a model: "${id}" has several variants`, {
        data: { model: id, variants: ids },
        hint: `Name one of ${ids.join(", ")}`,
      });
    }
    throw new SpellError("not_found", `Model '${id}' not found in any backend`, {
      data: { model: id },
      hint:
        didYouMean(id, [...others, ...models.map((model) => model.id)]) ??
        `Import its GGUF file: llmspell model import FILE --name ${id}`,
    });
  }
}

async function* modelsBelow(root: string, segments: string[]): AsyncGenerator<StoredModel> {
  const directory = join(root, ...segments);
  const entries = await entriesOf(directory);
  const file = entries.find((entry) => entry.isFile() && /\.gguf$/i.test(entry.name));
  if (file !== undefined && segments.length > 0) yield await describe(root, segments, file.name);
  if (segments.length === DEEPEST) return;
  for (const entry of entries) {
    if (entry.isDirectory() && !entry.name.startsWith("."))
      yield* modelsBelow(root, [...segments, entry.name]);
  }
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw ioError("Cannot list models in", directory, error);
  }
}

async function describe(root: string, segments: string[], fileName: string): Promise<StoredModel> {
  const directory = join(root, ...segments);
  const path = join(directory, fileName);
  const info = await stat(path);
  return {
    id: idOfSegments(segments),
    root,
    directory,
    path,
    sizeBytes: info.size,
    modifiedAt: Math.floor(info.mtimeMs / 1000),
    manifest: await readManifest(join(directory, MANIFEST)),
  };
}

/** Undefined for a model that was put there by hand. */
async function readManifest(path: string): Promise<Manifest | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Manifest;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw ioError("Cannot read", path, error);
  }
}
