/** Watches a kernel's health: figures on demand, and a log line when its level changes. */
import type { Config } from "../../config/schema.ts";
import type { Log } from "../../core/log.ts";
import { prometheusText } from "../../metrics/prometheus.ts";
import type { MetricsRegistry } from "../../metrics/registry.ts";
import type { StateFigures } from "../../state/service.ts";
import type { HubStatus } from "../hub.ts";
import type { Operations } from "../operations.ts";
import { healthFigures } from "./figures.ts";
import { LoopDelay } from "./loop-delay.ts";
import { type Excess, excesses, type HealthReport, healthReport } from "./report.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import { SystemProbe } from "./system.ts";

export interface MonitorOptions {
  hub: () => HubStatus;
  requests: RequestMetrics;
  metrics: MetricsRegistry;
  operations: Operations;
  state: () => StateFigures;
  /** As the configuration stands now. */
  limits: () => Config["health"];
  version: string;
  log: Log;
  /** Told once when a figure has risen above its limit. */
  onExcess?: (excess: Excess) => void;
}

export class HealthMonitor implements Disposable {
  private readonly probe = new SystemProbe();
  private readonly delay = new LoopDelay();
  /** The figures that were above their limits at the last look. */
  private exceeded = new Set<string>();
  private level: HealthReport["status"] = "Healthy";
  private timer: Timer | undefined;

  private readonly figures: Disposable;

  constructor(private readonly options: MonitorOptions) {
    this.figures = options.metrics.addSource(() => healthFigures(this.report()));
    this.schedule();
  }

  report(): HealthReport {
    const { hub, requests, operations, state, limits, version } = this.options;
    return healthReport({
      system: this.probe.figures(),
      performance: {
        requests: requests.total,
        errors: requests.errors,
        error_rate_per_minute: requests.errorsPerMinute(),
        active_operations: operations.active,
        loop_delay_us: this.delay.figures(),
        wait_us: requests.latency("waitMs"),
        duration_us: requests.latency("durationMs"),
        ...state(),
      },
      hub: hub(),
      limits: limits(),
      version,
    });
  }

  metricsText(): string {
    return prometheusText(this.options.metrics.families());
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.check();
      this.schedule();
    }, this.options.limits().check_interval_secs * 1000);
    this.timer.unref();
  }

  private check(): void {
    const report = this.report();
    const { status, issues } = report;
    const above = excesses(report);
    for (const excess of above) if (!this.exceeded.has(excess.metric)) this.options.onExcess?.(excess);
    this.exceeded = new Set(above.map(({ metric }) => metric));
    if (status !== this.level)
      this.options.log.write(status === "Healthy" ? "info" : "warn", "kernel", "health changed", {
        from: this.level,
        to: status,
        issues,
      });
    this.level = status;
    this.probe.look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.figures[Symbol.dispose]();
    this.delay[Symbol.dispose]();
  }
}
