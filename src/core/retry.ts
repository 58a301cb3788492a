/** Repeats what may work the next time: capped, jittered backoff that heeds the server's `Retry-After`. */
import { SpellError } from "./errors.ts";

export interface RetrySettings {
  /** Attempts after the first that bring nothing forward. */
  maxRetries: number;
  initialDelayMs: number;
  maxDelayMs: number;
  /** Factor from one delay to the next. Default 2. */
  multiplier?: number;
}

export const DEFAULT_RETRY: RetrySettings = { maxRetries: 5, initialDelayMs: 500, maxDelayMs: 30_000 };
/** A server that asks for a longer wait is not waited for. */
const LONGEST_RETRY_AFTER_MS = 60_000;

/** Thrown by an attempt whose failure may pass. */
export class Passing extends Error {
  constructor(
    readonly failure: SpellError,
    readonly retryAfterMs?: number,
  ) {
    super(failure.message);
  }
}

export interface RetryOptions extends RetrySettings {
  signal: AbortSignal | undefined;
  /** A number that grows while attempts get on; then the count of failures begins anew. */
  progress?: () => number;
  onRetry?: (failure: SpellError, waitMs: number) => void;
}

/** @throws the last failure */
export async function withRetries<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  let before = options.progress?.() ?? 0;
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      options.signal?.throwIfAborted();
      const now = options.progress?.() ?? 0;
      failures = now > before ? 1 : failures + 1;
      before = now;
      if (failures > options.maxRetries) throw error.failure;
      const waitMs = waitBefore(failures, error, options);
      options.onRetry?.(error.failure, waitMs);
      await pause(waitMs, options.signal);
    }
  }
}

/** Between half and the whole of a delay that grows, never less than the server asks for. */
function waitBefore(
  failures: number,
  { failure, retryAfterMs = 0 }: Passing,
  settings: RetrySettings,
): number {
  if (retryAfterMs > LONGEST_RETRY_AFTER_MS) {
    throw new SpellError(failure.code, failure.message, {
      data: { ...failure.data, retryAfterSeconds: Math.round(retryAfterMs / 1000) },
      hint: `The server asks to wait ${Math.round(retryAfterMs / 1000)} s; try again later`,
    });
  }
  const delayMs = Math.min(
    settings.maxDelayMs,
    settings.initialDelayMs * (settings.multiplier ?? 2) ** (failures - 1),
  );
  return Math.max(retryAfterMs, delayMs * (0.5 + Math.random() / 2));
}

/** `Retry-After` in seconds or as a date; undefined for none that can be read. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // what Date.parse makes of "-5" or "1.5" is no date either
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const atMs = Date.parse(/GMT$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = () => reject(signal!.reason);
  signal?.addEventListener("abort", stop, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  });
}
