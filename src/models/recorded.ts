/** Calls of models as recordings of sessions keep them. Those of agents are recorded where agents make them. */
import type {
  EmbeddingModelV4,
  EmbeddingModelV4CallOptions,
  RerankingModelV4,
  RerankingModelV4CallOptions,
} from "@ai-sdk/provider";
import { type RecorderSource, recorded } from "../core/recording.ts";
import type { ModelOverrides, ModelService } from "./service.ts";

/** Which model was asked for. Its key is not recorded: a call that is made again takes the configuration's. */
export interface ModelChoice {
  model: string;
  provider?: string;
  base_url?: string;
  max_retries?: number;
  fallback_models?: readonly string[];
}

export function modelChoice(model: string, overrides: ModelOverrides = {}): ModelChoice {
  const { provider, baseUrl, maxRetries, fallback } = overrides;
  return {
    model,
    ...(provider === undefined ? {} : { provider }),
    ...(baseUrl === undefined ? {} : { base_url: baseUrl }),
    ...(maxRetries === undefined ? {} : { max_retries: maxRetries }),
    ...(fallback === undefined ? {} : { fallback_models: fallback }),
  };
}

export function overridesOf(recorded: Record<string, unknown>): ModelOverrides {
  const { provider, base_url, max_retries, fallback_models } = recorded;
  return {
    ...(typeof provider === "string" ? { provider } : {}),
    ...(typeof base_url === "string" ? { baseUrl: base_url } : {}),
    ...(typeof max_retries === "number" ? { maxRetries: max_retries } : {}),
    ...(Array.isArray(fallback_models) ? { fallback: fallback_models.map(String) } : {}),
  };
}

export const EMBEDDINGS = "embeddings";
export const RERANK = "rerank";

/** The same service, its vectors and rankings recorded. */
export function recordedModels(models: ModelService, recorder: RecorderSource): ModelService {
  return {
    ...models,
    resolveEmbedding: async (specifier, overrides) =>
      recordedEmbedding(
        await models.resolveEmbedding(specifier, overrides),
        modelChoice(specifier, overrides),
        recorder,
      ),
    resolveReranking: async (specifier, overrides) =>
      recordedReranking(
        await models.resolveReranking(specifier, overrides),
        modelChoice(specifier, overrides),
        recorder,
      ),
  };
}

function recordedEmbedding(
  model: EmbeddingModelV4,
  choice: ModelChoice,
  recorder: RecorderSource,
): EmbeddingModelV4 {
  const { specificationVersion, provider, modelId, maxEmbeddingsPerCall, supportsParallelCalls } = model;
  return {
    ...{ specificationVersion, provider, modelId, maxEmbeddingsPerCall, supportsParallelCalls },
    doEmbed: (options) => {
      const { values, providerOptions } = options;
      const input = { operation: EMBEDDINGS, ...choice, values, ...given(providerOptions) };
      const call = { kind: "model", name: `${provider}/${modelId}`, input } as const;
      return recorded(recorder, call, async () => model.doEmbed(options), vectors);
    },
  };
}

function recordedReranking(
  model: RerankingModelV4,
  choice: ModelChoice,
  recorder: RecorderSource,
): RerankingModelV4 {
  const { specificationVersion, provider, modelId } = model;
  return {
    ...{ specificationVersion, provider, modelId },
    doRerank: (options) => {
      const { query, documents, topN, providerOptions } = options;
      const limit = topN === undefined ? {} : { top_n: topN };
      const input = { operation: RERANK, ...choice, query, documents, ...limit, ...given(providerOptions) };
      const call = { kind: "model", name: `${provider}/${modelId}`, input } as const;
      return recorded(recorder, call, async () => model.doRerank(options), ranking);
    },
  };
}

const given = (options: object | undefined) => (options === undefined ? {} : { provider_options: options });

const vectors = ({ embeddings }: Awaited<ReturnType<EmbeddingModelV4["doEmbed"]>>) => ({ embeddings });
const ranking = (result: Awaited<ReturnType<RerankingModelV4["doRerank"]>>) => ({ ranking: result.ranking });

/** The same call once more. @throws SpellError not_found for a model, what the model fails with */
export async function embedAgain(
  specifier: string,
  input: Record<string, unknown>,
  models: ModelService,
  signal: AbortSignal,
) {
  const model = await models.resolveEmbedding(specifier, overridesOf(input));
  const { values, provider_options: providerOptions } = input;
  const options = { values, providerOptions, abortSignal: signal } as EmbeddingModelV4CallOptions;
  return vectors(await model.doEmbed(options));
}

/** The same call once more. @throws SpellError not_found for a model, what the model fails with */
export async function rankAgain(
  specifier: string,
  input: Record<string, unknown>,
  models: ModelService,
  signal: AbortSignal,
) {
  const model = await models.resolveReranking(specifier, overridesOf(input));
  const { query, documents, top_n: topN, provider_options: providerOptions } = input;
  const options = {
    query,
    documents,
    topN,
    providerOptions,
    abortSignal: signal,
  } as RerankingModelV4CallOptions;
  return ranking(await model.doRerank(options));
}
