/** The layers of a model in Ollama's format, in its registry and in its store on disk. */
import { Type } from "typebox";
import { Value } from "typebox/value";
import { SpellError } from "../../core/errors.ts";

const LAYER_TYPE = "application/vnd.ollama.image.";
/** Layers kept beside the model, each a text. */
const EXTRAS = ["template", "system", "params", "license"];
const MOST_EXTRA_BYTES = 1 << 20;

export const ImageManifest = Type.Object({
  layers: Type.Array(
    Type.Object({
      mediaType: Type.String(),
      digest: Type.String({ pattern: "^sha256[:-][0-9a-f]{64}$" }),
      size: Type.Integer({ minimum: 0 }),
    }),
  ),
});

export interface Layer {
  /** `model`, `template`, `params`, … */
  kind: string;
  sha256: string;
  sizeBytes: number;
}

/** The layers of a manifest; undefined for a document that is none. */
export function layersOf(document: unknown): Layer[] | undefined {
  if (!Value.Check(ImageManifest, document)) return undefined;
  return document.layers
    .filter(({ mediaType }) => mediaType.startsWith(LAYER_TYPE))
    .map(({ mediaType, digest, size }) => ({
      kind: mediaType.slice(LAYER_TYPE.length),
      sha256: digest.slice("sha256:".length),
      sizeBytes: size,
    }));
}

/**
 * The one layer that is the model.
 * @throws model_invalid for adapters, projectors and models in several files, which need more than one layer
 */
export function modelLayer(layers: readonly Layer[], name: string): Layer {
  const models = layers.filter(({ kind }) => kind === "model");
  const beyond = layers.find(({ kind }) => kind === "adapter" || kind === "projector");
  if (models.length === 1 && beyond === undefined) return models[0]!;
  const rule =
    beyond === undefined ? `it has ${models.length} model layers` : `it needs a ${beyond.kind} layer`;
  throw new SpellError("model_invalid", `Cannot use ${name} of Ollama: ${rule}`, {
    data: { model: name },
    hint: "Models of one GGUF file can be used",
  });
}

export function extraLayers(layers: readonly Layer[]): Layer[] {
  return layers.filter(({ kind, sizeBytes }) => EXTRAS.includes(kind) && sizeBytes <= MOST_EXTRA_BYTES);
}
