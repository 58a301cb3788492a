/** How long requests waited and took, and how many failed: the last thousand, and the last minute's failures. */

const KEPT = 1024;
const MINUTE_MS = 60_000;

export interface RequestFigures {
  type: string;
  /** From its arrival until its turn. */
  waitMs: number;
  /** From its turn until its reply. */
  durationMs: number;
  failed: boolean;
}

/** In microseconds; null where nothing was measured. */
export interface LatencyFigures {
  mean: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export class RequestMetrics {
  total = 0;
  errors = 0;
  private readonly recent: (RequestFigures & { atMs: number })[] = [];
  private readonly byType = new Map<string, { requests: number; errors: number; seconds: number }>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  record(figures: RequestFigures): void {
    this.recent[this.total++ % KEPT] = { ...figures, atMs: this.now() };
    if (figures.failed) this.errors++;
    const sum = this.byType.get(figures.type) ?? { requests: 0, errors: 0, seconds: 0 };
    sum.requests++;
    sum.errors += figures.failed ? 1 : 0;
    sum.seconds += figures.durationMs / 1000;
    this.byType.set(figures.type, sum);
  }

  errorsPerMinute(): number {
    const since = this.now() - MINUTE_MS;
    return this.recent.filter(({ atMs, failed }) => failed && atMs >= since).length;
  }

  latency(of: "waitMs" | "durationMs"): LatencyFigures {
    return latencyOf(this.recent.map((r) => r[of]));
  }

  types(): [type: string, sum: { requests: number; errors: number; seconds: number }][] {
    return [...this.byType];
  }
}

/** Percentiles by nearest rank. */
export function latencyOf(timesMs: readonly number[]): LatencyFigures {
  const sorted = timesMs.map((ms) => ms * 1000).sort((a, b) => a - b);
  if (sorted.length === 0) return { mean: null, p50: null, p95: null, p99: null };
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1]!);
  const mean = Math.round(sorted.reduce((sum, value) => sum + value, 0) / sorted.length);
  return { mean, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
