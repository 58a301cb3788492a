/** The vendors of cloud models: where each answers, and which package of the AI SDK speaks to it, imported on first use. */
import type { EmbeddingModelV4, LanguageModelV4 } from "@ai-sdk/provider";

export interface ClientSettings {
  baseURL: string;
  /** Empty where there is none. */
  apiKey: string;
  fetch: typeof fetch;
  structuredOutputs: boolean;
}

export interface Client {
  chat(modelId: string): LanguageModelV4;
  /** Absent for vendors without vectors. */
  embedding?(modelId: string): EmbeddingModelV4;
}

export interface Vendor {
  /** Undefined where only the configuration can tell. */
  baseUrl: string | undefined;
  /** Path that is added where a configured address has none. */
  path: string;
  /** How schemas of answers are sent; `strict`: in a mode that takes only some of them, or else not strictly. */
  schemas: "strict" | "native";
  /** It calls none. */
  hasNoTools?: true;
  /** Ids of tool calls are nine letters and digits. */
  wantsShortCallIds?: true;
  load(settings: ClientSettings): Promise<Client>;
}

/** Under which name options for the clients of `compatible` go. */
export const COMPATIBLE = "compatible";

/** A vendor that speaks OpenAI's format and has no package of its own, or one that cannot do more. */
function compatible(baseUrl: string | undefined, path = "/v1"): Vendor {
  return {
    baseUrl,
    path,
    schemas: "strict",
    async load({ structuredOutputs: supportsStructuredOutputs, ...settings }) {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      const client = createOpenAICompatible({
        ...settings,
        name: COMPATIBLE,
        supportsStructuredOutputs,
        includeUsage: true,
      });
      return { chat: (id) => client.chatModel(id), embedding: (id) => client.embeddingModel(id) };
    },
  };
}

export const VENDORS: Readonly<Record<string, Vendor>> = {
  openai: {
    baseUrl: "https://api.openai.com/v1",
    path: "/v1",
    schemas: "strict",
    load: async (settings) => (await import("./clients/openai.ts")).openAIClient(settings),
  },
  anthropic: {
    baseUrl: "https://api.anthropic.com/v1",
    path: "/v1",
    schemas: "native",
    load: async (settings) => (await import("./clients/anthropic.ts")).anthropicClient(settings),
  },
  cohere: {
    baseUrl: "https://api.cohere.com/v2",
    path: "/v2",
    schemas: "native",
    async load({ baseURL, apiKey, fetch }) {
      const client = (await import("@ai-sdk/cohere")).createCohere({ baseURL, apiKey, fetch });
      return { chat: (id) => client.languageModel(id), embedding: (id) => client.embeddingModel(id) };
    },
  },
  groq: {
    baseUrl: "https://api.groq.com/openai/v1",
    path: "/openai/v1",
    schemas: "strict",
    async load({ baseURL, apiKey, fetch }) {
      const client = (await import("@ai-sdk/groq")).createGroq({ baseURL, apiKey, fetch });
      return { chat: (id) => client.languageModel(id) };
    },
  },
  perplexity: {
    baseUrl: "https://api.perplexity.ai",
    path: "",
    schemas: "native",
    hasNoTools: true,
    async load({ baseURL, apiKey, fetch }) {
      const client = (await import("@ai-sdk/perplexity")).createPerplexity({
        baseURL,
        apiKey,
        fetch,
      });
      return { chat: (id) => client.languageModel(id), embedding: (id) => client.embeddingModel(id) };
    },
  },
  together: compatible("https://api.together.xyz/v1"),
  gemini: {
    baseUrl: "https://generativelanguage.googleapis.com/v1beta",
    path: "/v1beta",
    schemas: "native",
    load: async (settings) => (await import("./clients/gemini.ts")).geminiClient(settings),
  },
  mistral: {
    baseUrl: "https://api.mistral.ai/v1",
    path: "/v1",
    schemas: "native",
    wantsShortCallIds: true,
    async load({ baseURL, apiKey, fetch }) {
      const client = (await import("@ai-sdk/mistral")).createMistral({ baseURL, apiKey, fetch });
      return { chat: (id) => client.chat(id), embedding: (id) => client.embeddingModel(id) };
    },
  },
  fireworks: compatible("https://api.fireworks.ai/inference/v1", "/inference/v1"),
  openrouter: compatible("https://openrouter.ai/api/v1", "/api/v1"),
  xai: compatible("https://api.x.ai/v1"),
  custom: compatible(undefined),
};
