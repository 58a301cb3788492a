/** Gemini's chats out of its package; the rest of that stays out of the executable, vectors are asked for here. */

import { GoogleLanguageModel } from "@ai-sdk/google/internal";
import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import Schema from "typebox/schema";
import type { Client, ClientSettings } from "../vendors.ts";

const PROVIDER = "google.generative-ai";
/** batchEmbedContents takes so many texts. */
const MOST_TEXTS = 100;

const Vectors = {
  type: "object",
  properties: {
    embeddings: {
      type: "array",
      items: {
        type: "object",
        properties: { values: { type: "array", items: { type: "number" } } },
        required: ["values"],
      },
    },
  },
  required: ["embeddings"],
} as const;

export function geminiClient({ baseURL, apiKey, fetch }: ClientSettings): Client {
  const headers = { "x-goog-api-key": apiKey };
  const config = { provider: PROVIDER, baseURL, headers: () => headers, fetch };
  return {
    chat: (id) =>
      new GoogleLanguageModel(id, {
        ...config,
        generateId: () => crypto.randomUUID(),
        supportedUrls: () => ({}),
      }),
    embedding: (modelId): EmbeddingModelV4 => ({
      specificationVersion: "v4",
      provider: PROVIDER,
      modelId,
      maxEmbeddingsPerCall: MOST_TEXTS,
      supportsParallelCalls: true,
      async doEmbed({ values, abortSignal }) {
        const model = `models/${modelId}`;
        const requests = values.map((text) => ({ model, content: { parts: [{ text }] } }));
        const response = await fetch(`${baseURL}/${model}:batchEmbedContents`, {
          method: "POST",
          headers: { ...headers, "Content-Type": "application/json" },
          body: JSON.stringify({ requests }),
          ...(abortSignal === undefined ? {} : { signal: abortSignal }),
        });
        const answer: unknown = await response.json();
        if (!Schema.Check(Vectors, answer)) throw new TypeError("its answer holds no vectors");
        const { embeddings } = answer as { embeddings: { values: number[] }[] };
        return { embeddings: embeddings.map((vector) => vector.values), warnings: [] };
      },
    }),
  };
}
