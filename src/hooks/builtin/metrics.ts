import { Durations } from "../figures.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookComponent, HookContext } from "../service.ts";
import type { Builtin, BuiltinOptions } from "./index.ts";

const BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

class Measured {
  readonly durations = new Durations();
  /** By upper bound; the last one has none. */
  private readonly histogram = new Array<number>(BUCKETS_MS.length + 1).fill(0);

  add(durationMs: number, failed: boolean, atMs: number): void {
    this.durations.add(durationMs, atMs);
    if (failed) this.durations.failures++;
    let bucket = 0;
    while (bucket < BUCKETS_MS.length && durationMs > BUCKETS_MS[bucket]!) bucket++;
    this.histogram[bucket]!++;
  }

  report() {
    const { count, failures, minMs, maxMs, avgMs, p50Ms, p95Ms, p99Ms } = this.durations.summary();
    return {
      count,
      failures,
      success_rate: count === 0 ? null : (count - failures) / count,
      min_ms: minMs,
      max_ms: maxMs,
      avg_ms: avgMs,
      p50_ms: p50Ms,
      p95_ms: p95Ms,
      p99_ms: p99Ms,
      histogram: this.histogram.map((n, i) => ({ le_ms: BUCKETS_MS[i] ?? null, count: n })),
    };
  }
}

/** Counts the ends of operations, by component. */
export function metricsHook({ points }: BuiltinOptions<"metrics">): Builtin {
  const all = new Measured();
  /** By type, then by name. */
  const byComponent = new Map<string, Map<string, Measured>>();
  const componentOf = ({ type, name }: HookComponent): Measured => {
    const named = byComponent.get(type) ?? new Map<string, Measured>();
    const known = named.get(name);
    if (known !== undefined) return known;
    const own = new Measured();
    byComponent.set(type, named.set(name, own));
    return own;
  };
  const run = ({ component, data, timestampMs }: HookContext) => {
    const durationMs = typeof data.duration_ms === "number" ? data.duration_ms : 0;
    const failed = data.error !== undefined && data.error !== null;
    const own = componentOf(component);
    own.add(durationMs, failed, timestampMs);
    all.add(durationMs, failed, timestampMs);
    return undefined;
  };
  return {
    description: "Counts operations and measures their time",
    spec: { points, run, priority: PRIORITIES.lowest, immediate: true },
    report: () => ({
      ...all.report(),
      components: Object.fromEntries(
        [...byComponent].flatMap(([type, named]) =>
          [...named].map(([name, measured]) => [`${type.toLowerCase()}:${name}`, measured.report()]),
        ),
      ),
    }),
  };
}
