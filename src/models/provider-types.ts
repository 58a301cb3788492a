/** What this build can do with each `provider_type`, known without loading a client. */
import { PROVIDER_TYPES } from "../config/provider-types.ts";

interface TypeFacts {
  /** First part of a provider's full name `factory/provider/model`: who implements it. */
  readonly factory: string;
  /** Whether this build has a client for it. */
  readonly available: boolean;
}

const FACTS: Readonly<Record<string, TypeFacts>> = {
  llamacpp: { factory: "llamacpp", available: true },
  test: { factory: "test", available: true },
  ollama: { factory: "ollama", available: true },
};

const CLOUD = "ai-sdk";
/** No client of ours speaks their format. */
const WITHOUT_CLIENT = new Set(["replicate"]);

/** Undefined for a type nobody knows. */
export function typeFacts(type: string): TypeFacts | undefined {
  if (!Object.hasOwn(PROVIDER_TYPES, type)) return undefined;
  return FACTS[type] ?? { factory: CLOUD, available: !WITHOUT_CLIENT.has(type) };
}

/** Whether a vendor's service answers, or one that speaks as a vendor does. */
export function isCloud({ type }: { readonly type: string }): boolean {
  return typeFacts(type)?.factory === CLOUD;
}

export const KNOWN_TYPES: readonly string[] = Object.keys(PROVIDER_TYPES);
export const AVAILABLE_TYPES: readonly string[] = KNOWN_TYPES.filter((type) => typeFacts(type)!.available);

const ALIASES: Readonly<Record<string, string>> = {
  // the reference's name of the embedded engine
  candle: "llamacpp",
  "openai-compatible": "custom",
  openai_compatible: "custom",
  google: "gemini",
};

export function canonicalType(name: string): string {
  const lower = name.trim().toLowerCase();
  return Object.hasOwn(ALIASES, lower) ? ALIASES[lower]! : lower;
}
