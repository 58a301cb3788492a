/** What this build can do with each `provider_type`, known without loading a client. */
import { PROVIDER_TYPES } from "../config/provider-types.ts";

interface TypeFacts {
  /** First part of a provider's full name `factory/provider/model`: who implements it. */
  readonly factory: string;
  readonly supportsMultimodal: boolean;
  /** Whether this build has a client for it. */
  readonly available: boolean;
}

const FACTS: Readonly<Record<string, TypeFacts>> = {
  llamacpp: { factory: "llamacpp", supportsMultimodal: false, available: true },
  test: { factory: "test", supportsMultimodal: false, available: true },
  ollama: { factory: "ollama", supportsMultimodal: true, available: true },
};

const MULTIMODAL = new Set(["openai", "anthropic", "gemini"]);

/** Undefined for a type nobody knows. */
export function typeFacts(type: string): TypeFacts | undefined {
  if (!Object.hasOwn(PROVIDER_TYPES, type)) return undefined;
  return FACTS[type] ?? { factory: "ai-sdk", supportsMultimodal: MULTIMODAL.has(type), available: false };
}

export const KNOWN_TYPES: readonly string[] = Object.keys(PROVIDER_TYPES);
export const AVAILABLE_TYPES: readonly string[] = KNOWN_TYPES.filter((type) => typeFacts(type)!.available);

/** `candle`, the reference's name of the embedded engine, means `llamacpp`. */
export function canonicalType(name: string): string {
  const lower = name.trim().toLowerCase();
  return lower === "candle" ? "llamacpp" : lower;
}
