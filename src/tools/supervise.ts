/** Bounds of one tool call: its time, and the size of what goes in and comes out. */
import { messageOf, SpellError } from "../core/errors.ts";

/** Beyond it a timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs `body` until it ends, its time is up or the caller gives up; then its signal is aborted and nobody waits for it.
 * @throws SpellError timeout, interrupted
 */
export async function runWithin<T>(
  tool: string,
  timeoutMs: number,
  outer: AbortSignal | undefined,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inner = new AbortController();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (error: SpellError) => {
    reject(error);
    inner.abort(error);
  };
  const interrupt = () => stop(interruptedBy(outer?.reason));
  const timer = setTimeout(() => stop(timeoutError(tool, timeoutMs)), Math.min(timeoutMs, LONGEST_TIMER_MS));
  outer?.addEventListener("abort", interrupt, { once: true });
  try {
    if (outer?.aborted) throw interruptedBy(outer.reason);
    return await Promise.race([body(inner.signal), aborted]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", interrupt);
  }
}

function timeoutError(tool: string, timeoutMs: number): SpellError {
  return new SpellError("timeout", `Tool '${tool}' timed out: timeout of ${timeoutMs} ms exceeded`, {
    data: { tool, timeoutMs },
    hint: `Raise tools.timeouts."${tool}" (seconds) in the configuration`,
  });
}

function interruptedBy(reason: unknown): SpellError {
  return reason instanceof SpellError
    ? reason
    : new SpellError("interrupted", `Interrupted: ${messageOf(reason)}`);
}

/** Roughly the bytes a value holds: its texts and bytes, and eight for everything else. */
export function weightOf(value: unknown): number {
  let bytes = 0;
  const seen = new Set<object>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const item = pending.pop();
    if (typeof item === "string") bytes += item.length;
    else if (item instanceof Uint8Array) bytes += item.length;
    else if (typeof item === "object" && item !== null && !seen.has(item)) {
      seen.add(item);
      if (Array.isArray(item)) {
        for (const element of item) pending.push(element);
        continue;
      }
      for (const key in item) {
        bytes += key.length;
        pending.push((item as Record<string, unknown>)[key]);
      }
    } else bytes += 8;
  }
  return bytes;
}
