/** How long requests waited and took, and how many failed, in the kernel's metrics. */
import { percentile } from "../../core/percentile.ts";
import { Ring } from "../../core/ring.ts";
import type { Instrument } from "../../metrics/instrument.ts";
import type { MetricsRegistry } from "../../metrics/registry.ts";

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
  private readonly requests: Instrument;
  private readonly failures: Instrument;
  private readonly waits: Instrument;
  private readonly durations: Instrument;
  private readonly recent = new Ring<RequestFigures & { atMs: number }>(KEPT);

  constructor(
    registry: MetricsRegistry,
    private readonly now: () => number = () => performance.now(),
  ) {
    const own = (name: string, kind: "counter" | "histogram", description: string) =>
      registry.own(`kernel.${name}`, { kind, description, unit: kind === "histogram" ? "ms" : "" });
    this.requests = own("requests", "counter", "Requests that were answered.");
    this.failures = own("request.errors", "counter", "Requests that failed.");
    this.waits = own("request.wait", "histogram", "Time from a request's arrival until its turn.");
    this.durations = own("request.duration", "histogram", "Time from a request's turn until its reply.");
  }

  get total(): number {
    return this.requests.total;
  }

  get errors(): number {
    return this.failures.total;
  }

  record(figures: RequestFigures): void {
    const labels = { type: figures.type };
    this.requests.add(1, labels);
    if (figures.failed) this.failures.add(1, labels);
    this.waits.record(figures.waitMs, labels);
    this.durations.record(figures.durationMs, labels);
    this.recent.push({ ...figures, atMs: this.now() });
  }

  errorsPerMinute(): number {
    const since = this.now() - MINUTE_MS;
    return this.recent.last().filter(({ atMs, failed }) => failed && atMs >= since).length;
  }

  /** Of the newest requests. */
  latency(of: "waitMs" | "durationMs"): LatencyFigures {
    return latencyOf(this.recent.last().map((r) => r[of]));
  }
}

export function latencyOf(timesMs: readonly number[]): LatencyFigures {
  if (timesMs.length === 0) return { mean: null, p50: null, p95: null, p99: null };
  const at = (percent: number) => Math.round(percentile(timesMs, percent) * 1000);
  const mean = Math.round((timesMs.reduce((sum, ms) => sum + ms, 0) / timesMs.length) * 1000);
  return { mean, p50: at(50), p95: at(95), p99: at(99) };
}
