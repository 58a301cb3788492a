/** What one hook's calls took. */

const KEPT = 1000;

export class Durations {
  count = 0;
  failures = 0;
  skipped = 0;
  totalMs = 0;
  lastExecutionMs: number | null = null;
  private minMs = Number.POSITIVE_INFINITY;
  private maxMs = 0;
  /** The last 1000, for the percentiles. */
  private readonly kept: number[] = [];

  /** @param atMs when, milliseconds since the epoch */
  add(durationMs: number, atMs: number): void {
    this.kept[this.count % KEPT] = durationMs;
    this.count++;
    this.totalMs += durationMs;
    if (durationMs < this.minMs) this.minMs = durationMs;
    if (durationMs > this.maxMs) this.maxMs = durationMs;
    this.lastExecutionMs = atMs;
  }

  summary() {
    const { count, failures, skipped, totalMs, lastExecutionMs } = this;
    const sorted = this.kept.toSorted((a, b) => a - b);
    const known = count > 0;
    return {
      count,
      failures,
      skipped,
      totalMs,
      minMs: known ? this.minMs : null,
      maxMs: known ? this.maxMs : null,
      avgMs: known ? totalMs / count : null,
      p50Ms: percentile(sorted, 50),
      p95Ms: percentile(sorted, 95),
      p99Ms: percentile(sorted, 99),
      lastExecutionMs,
    };
  }
}

/** The nearest-rank percentile; null of nothing. */
export function percentile(sorted: readonly number[], percent: number): number | null {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null;
}
