/**
 * What a million tokens cost in USD: the vendors' public list prices for text, without discounts for batches, as they
 * stood in January 2026 (openai.com/api/pricing, claude.com/pricing, ai.google.dev/pricing, mistral.ai/pricing,
 * cohere.com/pricing, groq.com/pricing, together.ai/pricing, fireworks.ai/pricing, docs.x.ai). Where a vendor asks more
 * for long prompts the price of short ones stands here. The configuration overrides any of them.
 */
import type { Config } from "../../config/schema.ts";
import { providerOf } from "../../config/schema.ts";

export const PRICES_AS_OF = "2026-01";

/** USD for a million tokens. */
export interface Price {
  input: number;
  output: number;
  /** For tokens that the provider had in its cache; as the others where unknown. */
  cachedInput?: number;
}

const price = (input: number, output: number, cachedInput?: number): Price =>
  cachedInput === undefined ? { input, output } : { input, output, cachedInput };

const BY_TYPE: Readonly<Record<string, Readonly<Record<string, Price>>>> = {
  openai: {
    "gpt-5": price(1.25, 10, 0.125),
    "gpt-5-mini": price(0.25, 2, 0.025),
    "gpt-5-nano": price(0.05, 0.4, 0.005),
    "gpt-4.1": price(2, 8, 0.5),
    "gpt-4.1-mini": price(0.4, 1.6, 0.1),
    "gpt-4.1-nano": price(0.1, 0.4, 0.025),
    "gpt-4o": price(2.5, 10, 1.25),
    "gpt-4o-mini": price(0.15, 0.6, 0.075),
    "gpt-4-turbo": price(10, 30),
    "gpt-4": price(30, 60),
    "gpt-3.5-turbo": price(0.5, 1.5),
    o1: price(15, 60, 7.5),
    o3: price(2, 8, 0.5),
    "o3-mini": price(1.1, 4.4, 0.55),
    "o4-mini": price(1.1, 4.4, 0.275),
    "text-embedding-3-small": price(0.02, 0),
    "text-embedding-3-large": price(0.13, 0),
    "text-embedding-ada-002": price(0.1, 0),
  },
  anthropic: {
    "claude-opus-4-5": price(5, 25, 0.5),
    "claude-opus-4-1": price(15, 75, 1.5),
    "claude-opus-4": price(15, 75, 1.5),
    "claude-sonnet-4-5": price(3, 15, 0.3),
    "claude-sonnet-4": price(3, 15, 0.3),
    "claude-haiku-4-5": price(1, 5, 0.1),
    "claude-3-7-sonnet": price(3, 15, 0.3),
    "claude-3-5-sonnet": price(3, 15, 0.3),
    "claude-3-5-haiku": price(0.8, 4, 0.08),
    "claude-3-opus": price(15, 75, 1.5),
    "claude-3-haiku": price(0.25, 1.25, 0.03),
  },
  gemini: {
    "gemini-2.5-pro": price(1.25, 10, 0.125),
    "gemini-2.5-flash": price(0.3, 2.5, 0.03),
    "gemini-2.5-flash-lite": price(0.1, 0.4, 0.01),
    "gemini-2.0-flash": price(0.1, 0.4, 0.025),
    "gemini-2.0-flash-lite": price(0.075, 0.3),
    "gemini-embedding-001": price(0.15, 0),
  },
  mistral: {
    "mistral-large-2411": price(2, 6),
    "mistral-small": price(0.1, 0.3),
    codestral: price(0.3, 0.9),
    "mistral-embed": price(0.1, 0),
  },
  cohere: {
    "command-a-03-2025": price(2.5, 10),
    "command-r-plus-08-2024": price(2.5, 10),
    "command-r-08-2024": price(0.15, 0.6),
    "command-r7b-12-2024": price(0.0375, 0.15),
    "embed-v4.0": price(0.12, 0),
  },
  groq: {
    "llama-3.1-8b-instant": price(0.05, 0.08),
    "llama-3.3-70b-versatile": price(0.59, 0.79),
  },
  together: { "meta-llama/Llama-3.3-70B-Instruct-Turbo": price(0.88, 0.88) },
  fireworks: { "accounts/fireworks/models/llama-v3p3-70b-instruct": price(0.9, 0.9) },
  xai: {
    "grok-4": price(3, 15, 0.75),
    "grok-3": price(3, 15, 0.75),
    "grok-3-mini": price(0.3, 0.5, 0.075),
  },
};

/** Models that run on this machine, or only pretend to. */
const FREE_TYPES = new Set(["llamacpp", "ollama", "test"]);

/** A price, `free` for models of this machine, or undefined where nobody knows. */
export type KnownPrice = Price | "free" | undefined;

/** `[providers.KEY.prices]`, then `[models.prices]`, then the list above. */
export function priceOf(config: Config, provider: string, type: string, model: string): KnownPrice {
  const own = providerOf(config, provider)?.prices;
  const set = setFor(own, model) ?? setFor(own, "*") ?? configured(config, provider, model);
  if (set !== undefined) return set;
  if (FREE_TYPES.has(type)) return "free";
  const list = BY_TYPE[type];
  const found = list === undefined ? undefined : listed(list, model);
  if (found !== undefined || type !== "openrouter") return found;
  // openrouter passes the vendors' prices on: `openai/gpt-4o-mini`
  const [vendor = "", ...rest] = model.split("/");
  const vendors = BY_TYPE[vendor === "google" ? "gemini" : vendor];
  return vendors === undefined ? undefined : listed(vendors, rest.join("/"));
}

function configured(config: Config, provider: string, model: string): Price | undefined {
  const { prices } = config.models;
  return setFor(prices, `${provider}/${model}`) ?? setFor(prices, model);
}

type SetPrices = Readonly<Record<string, { input: number; output: number; cached_input?: number }>>;

function setFor(prices: SetPrices | undefined, name: string): Price | undefined {
  if (prices === undefined || !Object.hasOwn(prices, name)) return undefined;
  const { input, output, cached_input } = prices[name]!;
  return price(input, output, cached_input);
}

/** The model itself, or the one that its name is a dated or `-latest` release of. */
function listed(list: Readonly<Record<string, Price>>, model: string): Price | undefined {
  if (Object.hasOwn(list, model)) return list[model];
  const family = model.replace(/-(?:latest|preview|\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{3})$/, "");
  return family !== model && Object.hasOwn(list, family) ? list[family] : undefined;
}

export interface TokenCounts {
  promptTokens: number;
  completionTokens: number;
  /** Of the prompt tokens: those the provider had in its cache. */
  cachedTokens: number;
}

/** USD, or undefined where the price is unknown or nothing is paid. */
export function costOf(known: KnownPrice, tokens: TokenCounts): number | undefined {
  if (known === undefined || known === "free") return undefined;
  const { input, output, cachedInput = input } = known;
  const cached = Math.min(tokens.cachedTokens, tokens.promptTokens);
  const paid =
    (tokens.promptTokens - cached) * input + cached * cachedInput + tokens.completionTokens * output;
  return paid / 1e6;
}
