/** The health report in Prometheus' text format, version 0.0.4. */
import type { HealthReport } from "./report.ts";
import type { RequestMetrics } from "./request-metrics.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const LEVELS = ["Healthy", "Degraded", "Unhealthy"] as const;

export function prometheusText(report: HealthReport, requests: ReturnType<RequestMetrics["types"]>): string {
  const { system, performance, connections, kernel_info } = report;
  const lines: string[] = [];
  const metric = (
    name: string,
    type: "gauge" | "counter",
    help: string,
    samples: readonly (readonly [labels: Record<string, string>, value: number | null])[],
  ) => {
    lines.push(`# HELP llmspell_${name} ${help}`, `# TYPE llmspell_${name} ${type}`);
    for (const [labels, value] of samples)
      if (value !== null) lines.push(`llmspell_${name}${labelText(labels)} ${value}`);
  };
  const plain = (value: number) => [[{}, value]] as const;
  metric("info", "gauge", "Version and id of the kernel.", [
    [{ version: kernel_info.version, kernel_id: kernel_info.kernel_id }, 1],
  ]);
  metric("health", "gauge", "1 for the level the kernel is at.", [
    ...LEVELS.map((level) => [{ status: level }, level === report.status ? 1 : 0] as const),
  ]);
  metric("uptime_seconds", "gauge", "Time since the process began.", plain(system.uptime_secs));
  metric("memory_bytes", "gauge", "Resident memory of the process.", plain(system.memory_usage_bytes));
  metric("cpu_percent", "gauge", "Share of all processors.", plain(system.cpu_usage_percent));
  metric("load_average", "gauge", "Load of the machine.", [
    ...(["1m", "5m", "15m"] as const).map((over, i) => [{ over }, system.load_average[i] ?? null] as const),
  ]);
  metric("clients", "gauge", "Clients that are connected.", plain(connections.active_connections));
  metric("operations", "gauge", "Requests that are being answered.", plain(performance.active_operations));
  metric("executions_total", "counter", "Executions that were counted.", plain(kernel_info.execution_count));
  metric("requests_total", "counter", "Requests that were answered.", [
    ...requests.map(([type, sum]) => [{ type }, sum.requests] as const),
  ]);
  metric("request_errors_total", "counter", "Requests that failed.", [
    ...requests.map(([type, sum]) => [{ type }, sum.errors] as const),
  ]);
  metric("request_seconds_total", "counter", "Time that answering took.", [
    ...requests.map(([type, sum]) => [{ type }, sum.seconds] as const),
  ]);
  metric("state_operations_total", "counter", "Times that state was read or written.", [
    [{ operation: "read" }, performance.reads],
    [{ operation: "write" }, performance.writes],
  ]);
  metric("state_errors_total", "counter", "Reads and writes of state that failed.", [
    [{ operation: "read" }, performance.read_errors],
    [{ operation: "write" }, performance.write_errors],
  ]);
  metric("state_latency_microseconds", "gauge", "Mean time of reads and writes of state.", [
    [{ operation: "read" }, performance.avg_read_latency_us],
    [{ operation: "write" }, performance.avg_write_latency_us],
  ]);
  metric(
    "state_circuit_breaker_trips_total",
    "counter",
    "Times that state storage was left alone because it kept failing.",
    plain(performance.circuit_breaker_trips),
  );
  for (const [name, help, { p50, p95, p99 }] of [
    ["loop_delay", "How late the kernel's thread comes to what is due.", performance.loop_delay_us],
    ["request_wait", "Time from a request's arrival until its turn.", performance.wait_us],
    ["request_duration", "Time from a request's turn until its reply.", performance.duration_us],
  ] as const)
    metric(`${name}_microseconds`, "gauge", help, [
      [{ quantile: "0.5" }, p50],
      [{ quantile: "0.95" }, p95],
      [{ quantile: "0.99" }, p99],
    ]);
  return `${lines.join("\n")}\n`;
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
