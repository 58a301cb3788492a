import { SpellError } from "../core/errors.ts";

/** What a signal was aborted with, as an error of ours. */
export function abortError(signal: AbortSignal): SpellError {
  return signal.reason instanceof SpellError
    ? signal.reason
    : new SpellError("interrupted", "Interrupted", { cause: signal.reason });
}

/** `promise`, or the signal's error as soon as it is aborted, even if what runs does not heed the signal. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * Runs `body` with a signal that is aborted with `expired()` after `timeoutMs`, or when one of `signals` is.
 * Rejects at that moment.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  expired: () => SpellError,
  signals: readonly AbortSignal[],
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  // A longer delay than a timer can hold would fire at once.
  const timer = setTimeout(() => timeout.abort(expired()), Math.min(timeoutMs, 2 ** 31 - 1));
  const signal = AbortSignal.any([...signals, timeout.signal]);
  try {
    if (signal.aborted) throw abortError(signal);
    return await abortable(body(signal), signal);
  } finally {
    clearTimeout(timer);
  }
}
