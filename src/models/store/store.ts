/** The local models on disk: GGUF files, each in a directory of its own (layout.ts). */
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { ioError } from "../../core/io-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import { idOfSegments, splitPart, stemOf } from "./layout.ts";
import { MANIFEST, type Manifest, readManifest } from "./manifest.ts";
import { clearKilled } from "./staging.ts";

export interface StoredModel {
  /** `name:variant`, or the directory's name in the old layout. */
  id: string;
  /** The store directory it lies under. */
  root: string;
  directory: string;
  /** The GGUF file; the first part of a split set, by which llama.cpp finds the others. */
  path: string;
  /** All parts, in order. */
  files: { name: string; sizeBytes: number }[];
  /** Of all parts. */
  sizeBytes: number;
  /** Seconds since 1970. */
  modifiedAt: number;
  manifest: Manifest | undefined;
}

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
      await clearKilled(root);
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
      hint: [
        didYouMean(id, [...others, ...models.map((model) => model.id)]) ?? [],
        `Get it with \`llmspell model pull ${id}@llamacpp\`, or import its file with \`llmspell model import FILE\``,
      ]
        .flat()
        .join(" "),
    });
  }
}

async function* modelsBelow(root: string, segments: string[]): AsyncGenerator<StoredModel> {
  const directory = join(root, ...segments);
  const entries = await entriesOf(directory);
  const files = entries.filter((entry) => entry.isFile() && /\.gguf$/i.test(entry.name));
  if (files.length > 0 && segments.length > 0) {
    yield await describe(
      root,
      segments,
      files.map(({ name }) => name),
    );
  }
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

async function describe(root: string, segments: string[], names: readonly string[]): Promise<StoredModel> {
  const directory = join(root, ...segments);
  const part = splitPart(names[0]!);
  const own = part === undefined ? names.slice(0, 1) : names.filter((name) => stemOf(name) === part.stem);
  const infos = await Promise.all(own.map((name) => stat(join(directory, name))));
  return {
    id: idOfSegments(segments),
    root,
    directory,
    path: join(directory, own[0]!),
    files: own.map((name, i) => ({ name, sizeBytes: infos[i]!.size })),
    sizeBytes: infos.reduce((sum, { size }) => sum + size, 0),
    modifiedAt: Math.floor(infos[0]!.mtimeMs / 1000),
    manifest: readManifest(join(directory, MANIFEST)),
  };
}
