/** Ollama's registry: image manifests whose layers are blobs named by their SHA-256 digest. */
import { safeName } from "../store/layout.ts";
import type { HubHttp, Target } from "./http.ts";
import { extraLayers, ImageManifest, type Layer, layersOf, modelLayer } from "./ollama-layers.ts";
import type { HubOptions, PullPlan, RemoteFile } from "./plan.ts";
import { read } from "./read.ts";
import type { PullReference } from "./reference.ts";

const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
/** @throws not_found, provider, network, timeout, permission_denied, model_invalid */
export async function planOllama(
  http: HubHttp,
  { base }: HubOptions,
  reference: Extract<PullReference, { hub: "ollama" }>,
  signal: AbortSignal | undefined,
): Promise<PullPlan> {
  const { name, repository, tag } = reference;
  const root = `${base.href.replace(/\/$/, "")}/v2/${repository}`;
  const target: Target = {
    url: new URL(`${root}/manifests/${tag}`),
    what: `the manifest of ${name}:${tag}`,
    accept: MANIFEST_TYPE,
  };
  const { value } = await http.json(target, signal);
  read(ImageManifest, target, value);
  const layers = layersOf(value)!;
  const fileOf = (layer: Layer, fileName: string): RemoteFile => ({
    name: fileName,
    sizeBytes: layer.sizeBytes,
    digest: { algorithm: "sha256", hex: layer.sha256 },
    url: `${root}/blobs/sha256:${layer.sha256}`,
  });
  const stem = safeName(name.split("/").at(-1)!);
  return {
    id: { name, variant: tag },
    source: `ollama:${repository}:${tag}`,
    files: [fileOf(modelLayer(layers, `${name}:${tag}`), `${stem}.gguf`)],
    extras: extraLayers(layers).map((layer, i) => fileOf(layer, `${layer.kind}-${i}`)),
  };
}
