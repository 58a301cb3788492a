/** Ollama's store on disk: `manifests/REGISTRY/OWNER/NAME/TAG` and `blobs/sha256-…`. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { errnoOf, ioError } from "../../core/io-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import { readRegularFile } from "../../core/regular-file.ts";
import { extraLayers, type Layer, layersOf, modelLayer } from "../hub/ollama-layers.ts";
import { ggufSource } from "./gguf-source.ts";
import { formatId, type ModelId, parseNewId } from "./layout.ts";
import type { Origin } from "./manifest.ts";
import type { ModelSource } from "./source.ts";

const DEFAULT_REGISTRY = "registry.ollama.ai";
const DEFAULT_OWNER = "library";
const LONGEST_MANIFEST_BYTES = 1 << 20;

export async function isOllamaDirectory(directory: string): Promise<boolean> {
  const kinds = await Promise.all(
    ["manifests", "blobs"].map((name) =>
      stat(join(directory, name)).then(
        (info) => info.isDirectory(),
        () => false,
      ),
    ),
  );
  return kinds.every(Boolean);
}

/** @param wanted `name[:tag]`; undefined where there is one only @throws not_found, invalid_argument, model_invalid, io */
export async function ollamaSource(directory: string, wanted: string | undefined): Promise<ModelSource> {
  const { id, path } = choose(await modelsOf(directory), wanted, directory);
  const layers = await readLayers(path);
  const blobOf = ({ sha256 }: Layer) => join(directory, "blobs", `sha256-${sha256}`);
  const model = modelLayer(layers, formatId(id));
  const texts = extraLayers(layers).map((layer) => {
    const refused = (rule: string) => damagedLayer(layer, rule, directory);
    const bytes = readRegularFile(blobOf(layer), "Cannot import the model", refused, layer.sizeBytes);
    return [layer.kind, bytes.toString()] as const;
  });
  return ggufSource(blobOf(model), {
    suggestedId: id,
    name: formatId(id),
    origin: originOf(`ollama:${formatId(id)}`, texts),
    sha256: model.sha256,
  });
}

function damagedLayer({ kind }: Layer, rule: string, directory: string): SpellError {
  return new SpellError("model_invalid", `Cannot import the model: its ${kind}: ${rule}: ${directory}`, {
    data: { path: directory, rule },
    hint: "Pull the model again with Ollama",
  });
}

/** @param texts kind and text of the layers beside the model */
export function originOf(source: string, texts: readonly (readonly [kind: string, text: string])[]): Origin {
  const textOf = (kind: string) => texts.find(([k]) => k === kind)?.[1];
  const licence = textOf("license");
  return {
    source,
    ...(licence === undefined ? {} : { licence: licence.trim().split("\n", 1)[0]! }),
    ...Object.fromEntries(
      ["template", "system", "params"].flatMap((kind) =>
        textOf(kind) === undefined ? [] : [[kind, textOf(kind)]],
      ),
    ),
  };
}

interface Found {
  id: ModelId;
  path: string;
}

async function modelsOf(directory: string): Promise<Found[]> {
  const root = join(directory, "manifests");
  const paths = await readdir(root, { recursive: true, withFileTypes: true }).catch((error) => {
    throw ioError("Cannot import from", root, error);
  });
  return paths
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path) => {
      const [registry, owner, name, tag, ...rest] = path.slice(root.length + 1).split(sep);
      if (tag === undefined || rest.length > 0) return [];
      const isLibrary = registry === DEFAULT_REGISTRY && owner === DEFAULT_OWNER;
      return [{ id: { name: isLibrary ? name! : `${owner}/${name}`, variant: tag }, path }];
    })
    .sort((a, b) => (formatId(a.id) < formatId(b.id) ? -1 : 1));
}

function choose(found: readonly Found[], wanted: string | undefined, directory: string): Found {
  const names = found.map(({ id }) => formatId(id));
  if (wanted === undefined) {
    if (found.length === 1) return found[0]!;
    const rule =
      found.length === 0 ? "the directory of Ollama has none" : "the directory of Ollama has several";
    throw new SpellError("invalid_argument", `Cannot choose a model: ${rule}: ${directory}`, {
      data: { path: directory, models: names },
      hint: `Name one with --model: ${names.join(", ")}`,
    });
  }
  const id = formatId(parseNewId(wanted, "latest"));
  const match = found.find((model) => formatId(model.id) === id);
  if (match !== undefined) return match;
  throw new SpellError(
    "not_found",
    `Cannot import the model: the directory of Ollama has no '${id}': ${directory}`,
    {
      data: { path: directory, models: names },
      hint: didYouMean(id, names) ?? `It has ${names.join(", ")}`,
    },
  );
}

async function readLayers(path: string): Promise<Layer[]> {
  try {
    const { size } = await stat(path);
    const layers =
      size > LONGEST_MANIFEST_BYTES ? undefined : layersOf(JSON.parse(await readFile(path, "utf8")));
    if (layers !== undefined) return layers;
  } catch (error) {
    if (errnoOf(error) !== undefined) throw ioError("Cannot import the model", path, error);
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new SpellError("model_invalid", `Cannot import the model: it is no manifest of Ollama's: ${path}`, {
    data: { path },
  });
}
