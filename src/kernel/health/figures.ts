/** The health report as metrics. */
import type { Family } from "../../metrics/instrument.ts";
import type { Labels } from "../../metrics/names.ts";
import type { HealthReport } from "./report.ts";

const LEVELS = ["Healthy", "Degraded", "Unhealthy"] as const;

type Samples = readonly (readonly [labels: Labels, value: number | null])[];

export function healthFigures(report: HealthReport): Family[] {
  const { system, performance, connections, kernel_info } = report;
  const { p50, p95, p99 } = performance.loop_delay_us;
  const milliseconds = (us: number | null) => (us === null ? null : us / 1000);
  return [
    gauge("info", "Version and id of the kernel.", [
      [{ version: kernel_info.version, kernel_id: kernel_info.kernel_id }, 1],
    ]),
    gauge(
      "health",
      "1 for the level the kernel is at.",
      LEVELS.map((status) => [{ status }, status === report.status ? 1 : 0]),
    ),
    gauge("cpu_percent", "Share of all processors.", [[{}, system.cpu_usage_percent]]),
    gauge(
      "load_average",
      "Load of the machine.",
      ["1m", "5m", "15m"].map((over, i) => [{ over }, system.load_average[i] ?? null]),
    ),
    gauge("clients", "Clients that are connected.", [[{}, connections.active_connections]]),
    gauge("operations", "Requests that are being answered.", [[{}, performance.active_operations]]),
    gauge("executions", "Executions that were counted.", [[{}, kernel_info.execution_count]], {
      kind: "counter",
    }),
    gauge(
      "state_operations",
      "Times that state was read or written.",
      [
        [{ operation: "read" }, performance.reads],
        [{ operation: "write" }, performance.writes],
      ],
      { kind: "counter" },
    ),
    gauge(
      "state_errors",
      "Reads and writes of state that failed.",
      [
        [{ operation: "read" }, performance.read_errors],
        [{ operation: "write" }, performance.write_errors],
      ],
      { kind: "counter" },
    ),
    gauge(
      "state_latency",
      "Mean time of reads and writes of state.",
      [
        [{ operation: "read" }, milliseconds(performance.avg_read_latency_us)],
        [{ operation: "write" }, milliseconds(performance.avg_write_latency_us)],
      ],
      { unit: "ms" },
    ),
    gauge(
      "state_circuit_breaker_trips",
      "Times that state storage was left alone because it kept failing.",
      [[{}, performance.circuit_breaker_trips]],
      { kind: "counter" },
    ),
    gauge(
      "loop_delay",
      "How late the kernel's thread comes to what is due.",
      [
        [{ percentile: "50" }, milliseconds(p50)],
        [{ percentile: "95" }, milliseconds(p95)],
        [{ percentile: "99" }, milliseconds(p99)],
      ],
      { unit: "ms" },
    ),
  ];
}

/** A figure without a value has no series. */
function gauge(name: string, description: string, samples: Samples, more: Partial<Family> = {}): Family {
  const series = samples.flatMap(([labels, value]) => (value === null ? [] : [{ labels, value }]));
  return { name: `kernel.${name}`, kind: "gauge", description, unit: "", isScripted: false, series, ...more };
}
