/** Models that only note that they would be called. */
import type {
  EmbeddingModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  RerankingModelV4,
} from "@ai-sdk/provider";
import type { Plan, PlannedModelCall } from "../../core/plan.ts";
import type { SpellModel } from "../service.ts";
import { type Account, costBound } from "./accounting.ts";
import { promptBound, promptEstimate, textsBound } from "./bounds.ts";
import { streamOf } from "./parts.ts";
import { sampleOf } from "./sample.ts";

/** What a model answers that is not asked. */
export const PLACEHOLDER = "[dry run: no model was asked]";

/** Named only: nothing of it is looked up. */
export function plannedModel(account: Account, plan: Plan): SpellModel {
  const { provider, model: modelId } = account;
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    supportedUrls: {},
    // A script that wants a grammar gets as far as it would with a model that holds to one.
    holdsToGrammar: true,
    doGenerate: () => Promise.reject(new Error("a plan is only streamed")),
    async doStream(options) {
      plan.model(await planned(account, options));
      return { stream: streamOf(placeholder(options)) };
    },
  };
}

async function planned(account: Account, options: LanguageModelV4CallOptions): Promise<PlannedModelCall> {
  const { provider, model } = account;
  const promptTokens = await promptBound({} as SpellModel, options);
  const maxTokens = options.maxOutputTokens ?? account.maxTokens();
  return {
    provider,
    model,
    kind: "chat",
    promptTokens: promptEstimate(options),
    maxTokens,
    maxCostUsd: costBound(account, promptTokens, maxTokens),
  };
}

/** Where JSON is wanted, a small value that the schema allows. */
function placeholder({ responseFormat }: LanguageModelV4CallOptions): LanguageModelV4StreamPart[] {
  const text =
    responseFormat?.type === "json" ? JSON.stringify(sampleOf(responseFormat.schema ?? {})) : PLACEHOLDER;
  const none = { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 };
  return [
    { type: "text-start", id: "0" },
    { type: "text-delta", id: "0", delta: text },
    { type: "text-end", id: "0" },
    {
      type: "finish",
      finishReason: { unified: "stop", raw: "dry run" },
      usage: { inputTokens: none, outputTokens: { total: 0, text: 0, reasoning: 0 } },
    },
  ];
}

export function plannedEmbedding(account: Account, plan: Plan): EmbeddingModelV4 {
  const { provider, model: modelId } = account;
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    maxEmbeddingsPerCall: undefined,
    supportsParallelCalls: true,
    async doEmbed({ values }) {
      note("embeddings", account, plan, textsBound(values));
      return { embeddings: values.map(() => [0]), usage: { tokens: 0 }, warnings: [] };
    },
  };
}

export function plannedReranking(account: Account, plan: Plan): RerankingModelV4 {
  const { provider, model: modelId } = account;
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    async doRerank({ documents, query }) {
      const texts =
        documents.type === "text" ? documents.values : documents.values.map((o) => JSON.stringify(o));
      note("rerank", account, plan, textsBound(texts) + texts.length * textsBound([query]));
      return { ranking: texts.map((_, index) => ({ index, relevanceScore: 0 })) };
    },
  };
}

function note(kind: PlannedModelCall["kind"], account: Account, plan: Plan, bytes: number): void {
  const { provider, model } = account;
  plan.model({
    provider,
    model,
    kind,
    promptTokens: Math.ceil(bytes / 4),
    maxTokens: 0,
    maxCostUsd: costBound(account, bytes, 0),
  });
}
