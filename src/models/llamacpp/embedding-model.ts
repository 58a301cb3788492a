import type {
  EmbeddingModelV4,
  EmbeddingModelV4CallOptions,
  EmbeddingModelV4Result,
  RerankingModelV4,
  RerankingModelV4CallOptions,
  RerankingModelV4Result,
  SharedV4Warning,
} from "@ai-sdk/provider";
import { SpellError } from "../../core/errors.ts";
import { embedOptions, rankOptions } from "./embed-check.ts";
import { LlamaFile, type LlamaModelOptions } from "./model-file.ts";
import { EMBED_POOLINGS, type EmbedRequest } from "./protocol.ts";

/** Vectors of texts by a local GGUF model, of length 1 unless `normalize` is false. Nothing is read before the first call. */
export function createLlamaEmbeddingModel(options: LlamaModelOptions): EmbeddingModelV4 {
  const file = new LlamaFile(options);
  return {
    specificationVersion: "v4",
    provider: "llamacpp",
    modelId: options.id,
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
    async doEmbed(call: EmbeddingModelV4CallOptions): Promise<EmbeddingModelV4Result> {
      const { normalize = true, pooling, truncate = false } = embedOptions(call.providerOptions?.llamacpp);
      const warnings: SharedV4Warning[] =
        call.dimensions === undefined ? [] : [{ type: "unsupported", feature: "dimensions" }];
      await file.probe(call.abortSignal);
      const request = { texts: call.values, normalize, truncate, ...poolingOf(pooling) };
      const { vectors, dimensions, tokens } = await file.client.embed(
        file.spec,
        request,
        signalOf(call.abortSignal),
      );
      const embeddings = call.values.map((_, i) => [
        ...vectors.subarray(i * dimensions, (i + 1) * dimensions),
      ]);
      return { embeddings, usage: { tokens }, warnings };
    },
  };
}

/** Scores of documents by a local cross-encoder: the model's own numbers, higher fits better. */
export function createLlamaRerankingModel(options: LlamaModelOptions): RerankingModelV4 {
  const file = new LlamaFile(options);
  return {
    specificationVersion: "v4",
    provider: "llamacpp",
    modelId: options.id,
    async doRerank(call: RerankingModelV4CallOptions): Promise<RerankingModelV4Result> {
      const { documents, query, topN } = call;
      const more = rankOptions(call.providerOptions?.llamacpp);
      const texts =
        documents.type === "text" ? documents.values : documents.values.map((value) => JSON.stringify(value));
      await file.probe(call.abortSignal);
      const request = { query, documents: texts, ...more };
      const { scores, tokens } = await file.client.rank(file.spec, request, signalOf(call.abortSignal));
      const ranking = scores
        .map((relevanceScore, index) => ({ index, relevanceScore }))
        .sort((a, b) => b.relevanceScore - a.relevanceScore)
        .slice(0, topN);
      return { ranking, providerMetadata: { llamacpp: { tokens } }, warnings: [] };
    },
  };
}

function poolingOf(name: string | undefined): Pick<EmbedRequest, "pooling"> {
  if (name === undefined) return {};
  const pooling = EMBED_POOLINGS.find((known) => known === name);
  if (pooling !== undefined) return { pooling };
  throw new SpellError(
    "invalid_argument",
    `Cannot call the model: "pooling" must be one of ${EMBED_POOLINGS.join(", ")}: ${JSON.stringify(name)}`,
  );
}

const signalOf = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });
