/** The built-in profiles: TOML texts that go through the parser and the checks of a user's file. */

import development from "../../profiles/development.toml" with { type: "text" };
import llamacpp from "../../profiles/llamacpp.toml" with { type: "text" };
import minimal from "../../profiles/minimal.toml" with { type: "text" };
import ollama from "../../profiles/ollama.toml" with { type: "text" };
import providers from "../../profiles/providers.toml" with { type: "text" };
import ragDevelopment from "../../profiles/rag-development.toml" with { type: "text" };
import ragPerformance from "../../profiles/rag-performance.toml" with { type: "text" };
import ragProduction from "../../profiles/rag-production.toml" with { type: "text" };
import sessions from "../../profiles/sessions.toml" with { type: "text" };
import state from "../../profiles/state.toml" with { type: "text" };
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";

export const PROFILE_CATEGORIES = ["Core", "Common Workflows", "Local LLM", "RAG"] as const;

export interface Profile {
  name: string;
  /** Other names it answers to. */
  aliases: readonly string[];
  category: (typeof PROFILE_CATEGORIES)[number];
  description: string;
  use_cases: readonly string[];
  features: readonly string[];
  text: string;
}

export const PROFILES: readonly Profile[] = [
  {
    name: "minimal",
    aliases: [],
    category: "Core",
    description: "Tools and workflows without any model",
    use_cases: ["Scripts that only use tools", "Trying out the installation"],
    features: ["Basic standard library", "No providers", "Logs warnings only"],
    text: minimal,
  },
  {
    name: "development",
    aliases: [],
    category: "Core",
    description: "Cloud models and verbose logs",
    use_cases: ["Writing and debugging scripts with agents"],
    features: ["OpenAI gpt-4", "Anthropic Claude 3.5 Sonnet", "Logs at level debug"],
    text: development,
  },
  {
    name: "providers",
    aliases: [],
    category: "Common Workflows",
    description: "Cheap cloud models",
    use_cases: ["Agents on OpenAI or Anthropic at low cost"],
    features: ["OpenAI gpt-3.5-turbo", "Anthropic Claude 3 Haiku"],
    text: providers,
  },
  {
    name: "state",
    aliases: [],
    category: "Common Workflows",
    description: "State in memory",
    use_cases: ["Scripts that share values while they run"],
    features: ["State global", "Values up to 10 MB"],
    text: state,
  },
  {
    name: "sessions",
    aliases: [],
    category: "Common Workflows",
    description: "State, sessions, hooks and events",
    use_cases: ["Conversations with artifacts and replay"],
    features: ["100 sessions of 1000 artifacts", "Hooks", "Event bus"],
    text: sessions,
  },
  {
    name: "ollama",
    aliases: [],
    category: "Local LLM",
    description: "Models of an Ollama server on this machine",
    use_cases: ["Agents without cloud keys, with models Ollama manages"],
    features: ["Server at localhost:11434", "Model llama3.1:8b"],
    text: ollama,
  },
  {
    name: "llamacpp",
    aliases: ["candle"],
    category: "Local LLM",
    description: "Models run by this program itself",
    use_cases: ["Agents without any server", "Work without a network"],
    features: ["GGUF files from the model directory", "CPU or GPU", "Model llama3.1:8b-q4"],
    text: llamacpp,
  },
  {
    name: "rag-dev",
    aliases: ["rag-development"],
    category: "RAG",
    description: "Retrieval, small and fast to iterate",
    use_cases: ["Developing retrieval scripts"],
    features: ["384 dimensions", "No caches", "Logs every operation"],
    text: ragDevelopment,
  },
  {
    name: "rag-prod",
    aliases: ["rag-production"],
    category: "RAG",
    description: "Retrieval, durable and for several tenants",
    use_cases: ["Retrieval for users"],
    features: ["768 dimensions", "Index on disk", "Tenants, audit, backups"],
    text: ragProduction,
  },
  {
    name: "rag-perf",
    aliases: ["rag-performance"],
    category: "RAG",
    description: "Retrieval, large and parallel",
    use_cases: ["Many documents on a large machine"],
    features: ["1536 dimensions", "Up to 50 million vectors", "16 threads"],
    text: ragPerformance,
  },
];

export function findProfile(name: string): Profile | undefined {
  return PROFILES.find((profile) => profile.name === name || profile.aliases.includes(name));
}

/** @throws config for a name that is no profile; the message lists the names by category */
export function profileText(name: string): { name: string; text: string } {
  const profile = findProfile(name);
  if (profile !== undefined) return { name, text: profile.text };
  const groups = PROFILE_CATEGORIES.map((category) => {
    const names = PROFILES.filter((candidate) => candidate.category === category).flatMap((candidate) => [
      candidate.name,
      ...candidate.aliases,
    ]);
    return `${category}: ${names.join(", ")}`;
  });
  const all = PROFILES.flatMap((candidate) => [candidate.name, ...candidate.aliases]);
  throw new SpellError("config", `Unknown builtin profile '${name}'. ${groups.join("; ")}`, {
    data: { profile: name, available: all },
    hint: didYouMean(name, all) ?? "`llmspell config list-profiles` describes them",
  });
}
