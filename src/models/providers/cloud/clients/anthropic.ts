/** Anthropic's messages out of its package; the rest of that stays out of the executable. */
import { AnthropicLanguageModel } from "@ai-sdk/anthropic/internal";
import type { Client, ClientSettings } from "../vendors.ts";

export function anthropicClient({ baseURL, apiKey, fetch }: ClientSettings): Client {
  const headers = () => ({ "anthropic-version": "2023-06-01", "x-api-key": apiKey });
  return {
    chat: (id) =>
      new AnthropicLanguageModel(id, {
        provider: "anthropic.messages",
        baseURL,
        headers,
        fetch,
        supportedUrls: () => ({}),
      }),
  };
}
