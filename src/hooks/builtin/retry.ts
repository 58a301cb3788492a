import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";

type Options = BuiltinOptions<"retry">;

/** Repeats what failed for a reason that may pass. */
export function retryHook(options: Options, { now = () => performance.now() }: BuiltinParts): Builtin {
  const { max_attempts, errors, max_total_secs, points } = options;
  /** When the first failure of an operation was seen, by correlation and component. */
  const began = new Map<string, { atMs: number; delayMs: number }>();
  let retries = 0;
  const run = ({ component, data, correlationId }: HookContext): HookResult | undefined => {
    if (typeof data.error !== "string") return undefined;
    const attempt = typeof data.attempt === "number" ? data.attempt : 1;
    const key = `${correlationId} ${component.type} ${component.name}`;
    const first = attempt > 1 ? began.get(key) : undefined;
    began.delete(key);
    if (attempt >= max_attempts || !kindsOf(data).some((kind) => errors.includes(kind))) return undefined;
    const atMs = first?.atMs ?? now();
    const delayMs = delayOf(options, attempt, first?.delayMs);
    if (now() - atMs + delayMs > max_total_secs * 1000) return undefined;
    began.set(key, { atMs, delayMs });
    if (began.size > MOST_OPEN) began.delete(began.keys().next().value!);
    retries++;
    return { type: "retry", delayMs, maxAttempts: max_attempts };
  };
  return {
    description: "Repeats operations that failed for a reason that may pass",
    spec: { points, run, priority: PRIORITIES.high, immediate: true },
    report: () => ({ retries }),
  };
}

const MOST_OPEN = 10_000;

/** The failure by its code and by what the code means. */
function kindsOf({ error_code: code, error_status: status }: Record<string, unknown>): string[] {
  const kinds = typeof code === "string" ? [code] : [];
  if (code === "network" || (code === "provider" && typeof status !== "number"))
    kinds.push("connection_error");
  if (status === 408 || status === 504) kinds.push("timeout");
  if (status === 429 || status === 502 || status === 503 || status === 529) kinds.push("service_unavailable");
  if (status === 500) kinds.push("internal_server_error");
  return kinds;
}

/** Exponential, within its bound, spread as asked. */
export function delayOf(
  { initial_delay_ms, multiplier, max_delay_ms, jitter }: Options,
  attempt: number,
  beforeMs: number | undefined,
  random: () => number = Math.random,
): number {
  const plain = Math.min(max_delay_ms, initial_delay_ms * multiplier ** (attempt - 1));
  switch (jitter) {
    case "None":
      return plain;
    case "Full":
      return random() * plain;
    case "Equal":
      return plain / 2 + (random() * plain) / 2;
    case "Decorrelated": {
      const upper = (beforeMs ?? initial_delay_ms) * 3;
      return Math.min(max_delay_ms, initial_delay_ms + random() * Math.max(0, upper - initial_delay_ms));
    }
  }
}
