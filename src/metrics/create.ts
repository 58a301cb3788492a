import type { Log } from "../core/log.ts";
import { meterWith } from "../core/span.ts";
import { meterOf, type Watching } from "./figures.ts";
import { MetricsRegistry } from "./registry.ts";

/** The metrics of a kernel, which count what its services do from now on. */
export class KernelMetrics extends MetricsRegistry implements Disposable {
  private readonly metering: Disposable;
  private readonly process = this.addSource(() => [
    gauge("kernel.uptime", "Time since the process began.", "s", process.uptime()),
    gauge("kernel.memory", "Resident memory of the process.", "By", process.memoryUsage.rss()),
  ]);

  /** @param watching as the configuration stands now */
  constructor(log: Log, watching: () => Watching) {
    super(log);
    this.metering = meterWith(meterOf(this, watching));
  }

  [Symbol.dispose](): void {
    this.metering[Symbol.dispose]();
    this.process[Symbol.dispose]();
  }
}

const gauge = (name: string, description: string, unit: string, value: number) => ({
  name,
  kind: "gauge" as const,
  description,
  unit,
  isScripted: false,
  series: [{ labels: {}, value }],
});
