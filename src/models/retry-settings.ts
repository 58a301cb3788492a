import type { ProviderConfig } from "../config/schema.ts";
import type { RetrySettings } from "../core/retry.ts";

/** A provider's own settings: `max_retries` wins over that of `retry`, and what a call names over both. */
export function retryOf(
  { retry, max_retries }: ProviderConfig,
  usual: RetrySettings,
  maxRetries?: number,
): Required<RetrySettings> {
  return {
    maxRetries: maxRetries ?? max_retries ?? retry?.max_retries ?? usual.maxRetries,
    initialDelayMs: retry?.initial_delay_ms ?? usual.initialDelayMs,
    maxDelayMs: retry?.max_delay_ms ?? usual.maxDelayMs,
    multiplier: retry?.backoff_multiplier ?? usual.multiplier ?? 2,
  };
}
