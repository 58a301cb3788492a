/** Models of Ollama's library that are worth beginning with; the library itself cannot be searched by programs. */
import type { AvailableModel } from "../hub/available.ts";

const RECOMMENDED: readonly (readonly [id: string, about: string])[] = [
  ["llama3.2:1b", "Chat with tools, 1.2 B parameters"],
  ["llama3.2:3b", "Chat with tools, 3.2 B parameters"],
  ["llama3.1:8b", "Chat with tools, 8 B parameters"],
  ["qwen3:0.6b", "Chat with tools and thinking, 0.6 B parameters"],
  ["qwen3:8b", "Chat with tools and thinking, 8 B parameters"],
  ["gemma3:4b", "Chat that sees images, 4.3 B parameters"],
  ["mistral:7b", "Chat with tools, 7.2 B parameters"],
  ["phi4-mini:3.8b", "Chat with tools, 3.8 B parameters"],
  ["nomic-embed-text", "Embeddings, 137 M parameters"],
  ["all-minilm", "Embeddings, 23 M parameters"],
];

/**
 * @param query words that must all be found in the name or in what is said of it
 * @param isInstalled by id
 */
export function recommendedByOllama(
  query: string | undefined,
  isInstalled: (id: string) => boolean,
): AvailableModel[] {
  const words = (query ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return RECOMMENDED.filter(([id, about]) => {
    const text = `${id} ${about}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }).map(([id, about]) => ({
    id,
    backend: "ollama",
    repository: `ollama.com/library/${id.split(":")[0]}`,
    recommended: true,
    installed: isInstalled(id),
    about,
  }));
}
