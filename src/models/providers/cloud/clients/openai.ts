/** OpenAI's chat completions and embeddings out of its package; the rest of that stays out of the executable. */
import { OpenAIChatLanguageModel, OpenAIEmbeddingModel } from "@ai-sdk/openai/internal";
import type { Client, ClientSettings } from "../vendors.ts";

export function openAIClient({ baseURL, apiKey, fetch }: ClientSettings): Client {
  const config = (kind: string) => ({
    provider: `openai.${kind}`,
    url: ({ path }: { path: string }) => `${baseURL}${path}`,
    headers: () => ({ Authorization: `Bearer ${apiKey}` }),
    fetch,
  });
  return {
    chat: (id) => new OpenAIChatLanguageModel(id, config("chat")),
    embedding: (id) => new OpenAIEmbeddingModel(id, config("embedding")),
  };
}
