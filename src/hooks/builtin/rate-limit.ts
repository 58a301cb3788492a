import { withTextForBytes } from "../../core/bytes-as-text.ts";
import { stringifyJson } from "../../core/json.ts";
import { valueAt } from "../conditions.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";

type Options = BuiltinOptions<"rate_limit">;

interface Bucket {
  tokens: number;
  atMs: number;
  warned: boolean;
}

/** Buckets of tokens: each call takes one, and they come back with time. */
class Buckets {
  /** In order of use, the latest last. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly options: Options,
    private readonly now: () => number,
  ) {}

  get size(): number {
    return this.buckets.size;
  }

  /** Full at first; idle, it gathers up to the burst above its capacity. */
  at(key: string): Bucket {
    const { capacity, burst, refill_per_second, max_buckets, bucket_ttl_secs } = this.options;
    const now = this.now();
    let bucket = this.buckets.get(key);
    this.buckets.delete(key);
    if (bucket === undefined || now - bucket.atMs > bucket_ttl_secs * 1000)
      bucket = { tokens: capacity, atMs: now, warned: false };
    bucket.tokens = Math.min(
      capacity + burst,
      bucket.tokens + ((now - bucket.atMs) / 1000) * refill_per_second,
    );
    bucket.atMs = now;
    this.buckets.set(key, bucket);
    for (const oldest of this.buckets.keys()) {
      if (this.buckets.size <= max_buckets) break;
      this.buckets.delete(oldest);
    }
    return bucket;
  }
}

export function rateLimitHook(options: Options, { log, timeoutMs, now = steady }: BuiltinParts): Builtin {
  const { capacity, refill_per_second: perSecond, warn_share, action, redirect_to, points } = options;
  const buckets = new Buckets(options, now);
  const counts = { allowed: 0, limited: 0 };

  const run = (context: HookContext): HookResult | undefined | Promise<undefined> => {
    const key = keyOf(options, context);
    const bucket = buckets.at(key);
    const has = bucket.tokens >= 1;
    const waitMs = has
      ? 0
      : perSecond === 0
        ? Number.POSITIVE_INFINITY
        : ((1 - bucket.tokens) / perSecond) * 1000;
    const waits = action === "Delay" && waitMs < timeoutMs();
    if (has || waits) bucket.tokens--;
    counts[has ? "allowed" : "limited"]++;
    note(context, capacity, bucket.tokens, waitMs);
    const isHigh = 1 - bucket.tokens / capacity >= warn_share;
    if (isHigh && !bucket.warned) log.warn("hook", "rate limit is near", { key, tokens: bucket.tokens });
    bucket.warned = isHigh;
    if (has) return action === "ReturnCached" ? keep(context) : undefined;
    if (waits) return Bun.sleep(waitMs).then(() => undefined);
    const reason = `rate limit of ${capacity} calls is reached${Number.isFinite(waitMs) ? `, try again in ${Math.ceil(waitMs)} ms` : ""}`;
    if (action === "ReturnCached") return { ...keep(context), orCancel: reason };
    if (action === "Redirect" && redirect_to !== "") return { type: "redirect", target: redirect_to };
    return { type: "cancel", reason };
  };
  /** Results stay for as long as an unused bucket. */
  const keep = (context: HookContext) => ({
    type: "cache" as const,
    key: resultKey(context),
    ttlMs: options.bucket_ttl_secs * 1000,
    storeOnly: true,
  });
  return {
    description: "Limits how often operations run",
    spec: { points, run, priority: PRIORITIES.highest, immediate: action !== "Delay" },
    report: () => ({ ...counts, buckets: buckets.size }),
  };
}

const steady = () => performance.now();

function note({ metadata }: HookContext, limit: number, tokens: number, waitMs: number): void {
  metadata["X-RateLimit-Limit"] = String(limit);
  metadata["X-RateLimit-Remaining"] = String(Math.max(0, Math.floor(tokens)));
  metadata["X-RateLimit-Reset"] = String(Math.ceil(waitMs / 1000));
}

function keyOf({ strategy, key }: Options, context: HookContext): string {
  switch (strategy) {
    case "Global":
      return "*";
    case "PerComponent":
      return `${context.component.type}:${context.component.name}`;
    case "PerUser":
      return context.metadata.user_id ?? "";
    case "PerKey":
      return textOf(valueAt(context, key));
    case "Custom":
      return key.replace(/\{([\w.]+)\}/g, (_, path: string) => textOf(valueAt(context, path)));
  }
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "" : stringifyJson(value);

function resultKey({ point, component, data, identity }: HookContext): string {
  return stringifyJson([point, component.type, component.name, withTextForBytes(data), identity()]);
}
