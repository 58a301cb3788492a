/** What providers tell of a call: under `providerMetadata.llmspell` with the end of its answer, or in its failure's data. */
import type {
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";

export interface CallTokens {
  promptTokens: number;
  completionTokens: number;
  /** Of the prompt tokens. */
  cachedTokens: number;
}

export interface CallFacts {
  retries?: number;
  /** It came from the cache. */
  cached?: boolean;
  costUsd?: number;
  /** From the call until the first piece of its answer, repetitions and waits included. */
  firstTokenMs?: number;
  /** The model that answered: one of those asked in turn. */
  answeredBy?: { provider: string; model: string };
}

export function callFacts(metadata: SharedV4ProviderMetadata | undefined): CallFacts {
  const facts: Record<string, unknown> = isPlainObject(metadata?.llmspell) ? metadata.llmspell : {};
  return {
    ...(typeof facts.retries === "number" ? { retries: facts.retries } : {}),
    ...(facts.cached === true ? { cached: true } : {}),
    ...(typeof facts.costUsd === "number" ? { costUsd: facts.costUsd } : {}),
    ...(typeof facts.firstTokenMs === "number" ? { firstTokenMs: facts.firstTokenMs } : {}),
    ...(typeof facts.provider === "string" && typeof facts.model === "string"
      ? { answeredBy: { provider: facts.provider, model: facts.model } }
      : {}),
  };
}

/** @returns the metadata with `facts` added, under the names in which `callFacts` reads them */
export function withFacts(
  metadata: SharedV4ProviderMetadata | undefined,
  facts: Record<string, string | number>,
): SharedV4ProviderMetadata {
  const told = isPlainObject(metadata?.llmspell) ? metadata.llmspell : {};
  return { ...metadata, llmspell: { ...told, ...facts } } as SharedV4ProviderMetadata;
}

export function tokensOf({ inputTokens, outputTokens }: LanguageModelV4Usage): CallTokens {
  return {
    promptTokens: inputTokens.total ?? 0,
    completionTokens: outputTokens.total ?? 0,
    cachedTokens: inputTokens.cacheRead ?? 0,
  };
}

/** The first part of a stream, which tells of the requests that were repeated before it. */
export function withRetries<P extends LanguageModelV4StreamPart>(part: P, retries: number): P {
  return retries === 0 || part.type !== "stream-start"
    ? part
    : { ...part, llmspell: { retries: retriesBefore(part) + retries } };
}

/** Requests that were repeated before a stream began, where the part tells it. */
export function retriesBefore(part: LanguageModelV4StreamPart): number {
  const { llmspell } = part as { llmspell?: { retries: number } };
  return part.type === "stream-start" ? (llmspell?.retries ?? 0) : 0;
}

export interface FailureFacts {
  retries: number;
  /** What the call took: what the provider counted of an answer that was refused, or an estimate. */
  counted: CallTokens | undefined;
  costUsd: number | undefined;
  /** The provider had the request and did not refuse it: it may charge for it, though nobody saw an answer. */
  hadRequest: boolean;
}

export function failureFacts(error: unknown): FailureFacts {
  const data = error instanceof SpellError ? error.data : {};
  const isLate = error instanceof SpellError && error.code === "timeout";
  const usage = isPlainObject(data.usage) ? data.usage : undefined;
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  return {
    retries: number(data.retries),
    hadRequest: data.brokeOff === true || (isLate && data.key !== "connect_timeout_seconds"),
    costUsd: typeof usage?.cost_usd === "number" ? usage.cost_usd : undefined,
    counted:
      usage === undefined
        ? undefined
        : {
            promptTokens: number(usage.prompt_tokens),
            completionTokens: number(usage.completion_tokens),
            cachedTokens: number(usage.cached_tokens),
          },
  };
}

/** The same failure, which tells that so many requests more were repeated. */
export function addRetries<E>(error: E, retries: number): E | SpellError {
  if (retries === 0 || !(error instanceof SpellError)) return error;
  return withData(error, { retries: failureFacts(error).retries + retries });
}

/** The same failure, which tells what the call took. */
export function addUsage<E>(error: E, tokens: CallTokens, costUsd: number | undefined): E | SpellError {
  if (!(error instanceof SpellError)) return error;
  return withData(error, {
    usage: { ...usageData(tokens), ...(costUsd === undefined ? {} : { cost_usd: costUsd }) },
  });
}

/** Tokens as they stand in the data of a failure. */
export const usageData = ({ promptTokens, completionTokens, cachedTokens }: CallTokens) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  cached_tokens: cachedTokens,
});

function withData({ code, message, hint, cause, data }: SpellError, more: object): SpellError {
  return new SpellError(code, message, {
    data: { ...data, ...more },
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
