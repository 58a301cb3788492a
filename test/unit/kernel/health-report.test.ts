import { describe, expect, test } from "bun:test";
import { healthFigures } from "../../../src/kernel/health/figures.ts";
import { healthReport } from "../../../src/kernel/health/report.ts";
import { RequestMetrics } from "../../../src/kernel/health/request-metrics.ts";
import { prometheusText } from "../../../src/metrics/prometheus.ts";
import { MetricsRegistry } from "../../../src/metrics/registry.ts";
import { NO_STATE_FIGURES } from "../../../src/state/service.ts";

const LIMITS = {
  max_memory_mb: 1000,
  max_cpu_percent: 80,
  max_connections: 2,
  max_avg_latency_us: 5000,
  max_error_rate_per_minute: 3,
  check_interval_secs: 30,
};

function reportOf(given: { mb?: number; cpu?: number; clients?: number; delayUs?: number; errors?: number }) {
  const latency = { mean: 1, p50: 1, p95: 1, p99: 1 };
  return healthReport({
    system: {
      pid: 1,
      uptime_secs: 5,
      memory_usage_bytes: (given.mb ?? 1) * 1024 * 1024,
      memory_usage_mb: given.mb ?? 1,
      cpu_usage_percent: given.cpu ?? 0,
      system_total_memory_bytes: 8e9,
      system_available_memory_bytes: 4e9,
      cpu_cores: 2,
      load_average: [0.5, 0.25, 0],
    },
    performance: {
      requests: 10,
      errors: given.errors ?? 0,
      error_rate_per_minute: given.errors ?? 0,
      active_operations: 0,
      loop_delay_us: { ...latency, mean: given.delayUs ?? 1 },
      wait_us: latency,
      duration_us: latency,
      ...NO_STATE_FIGURES,
      reads: 12,
      avg_write_latency_us: 34,
    },
    hub: {
      id: 'k"1',
      pid: 1,
      engine: "lua",
      state: "idle",
      executionCount: 4,
      clients: Array.from({ length: given.clients ?? 0 }, (_, i) => ({ id: `c${i}`, name: "c" })),
      startedAtMs: 0,
      lastActivityMs: 0,
    },
    limits: LIMITS,
    version: "1.2.3",
  });
}

describe("healthReport: the rules of spec/kernel.md section 12.1", () => {
  test.each([
    ["nothing", {}, "Healthy", 0],
    ["memory at 80 %", { mb: 800 }, "Healthy", 0],
    ["memory above 80 %", { mb: 801 }, "Degraded", 1],
    ["memory above the limit", { mb: 1001 }, "Unhealthy", 1],
    ["processor time above 80 %", { cpu: 65 }, "Degraded", 1],
    ["processor time above the limit", { cpu: 81 }, "Unhealthy", 1],
    ["clients at the limit", { clients: 2 }, "Healthy", 0],
    ["clients above it", { clients: 3 }, "Degraded", 1],
    ["delay above it", { delayUs: 5001 }, "Degraded", 1],
    ["errors above it", { errors: 4 }, "Degraded", 1],
    ["a warning and a critical one", { errors: 4, mb: 2000 }, "Unhealthy", 2],
  ] as const)("%s", (_, given, status, issues) => {
    const report = reportOf(given);
    expect(report.status).toBe(status);
    expect(report.issues.length).toBe(issues);
  });

  test("says the figures and the limits", () => {
    expect(reportOf({ mb: 1500 }).issues).toEqual(["Memory is 1500 MB, the limit is 1000 MB"]);
  });
});

describe("RequestMetrics", () => {
  test("percentiles are by nearest rank, in microseconds", () => {
    const metrics = new RequestMetrics(new MetricsRegistry());
    for (let i = 1; i <= 100; i++)
      metrics.record({ type: "execute", waitMs: 0, durationMs: i, failed: false });
    expect(metrics.latency("durationMs")).toEqual({ mean: 50_500, p50: 50_000, p95: 95_000, p99: 99_000 });
    expect(new RequestMetrics(new MetricsRegistry()).latency("waitMs").p50).toBeNull();
  });

  test("errors count for a minute", () => {
    let now = 0;
    const metrics = new RequestMetrics(new MetricsRegistry(), () => now);
    metrics.record({ type: "tool", waitMs: 0, durationMs: 1, failed: true });
    now = 59_000;
    metrics.record({ type: "tool", waitMs: 0, durationMs: 1, failed: true });
    expect(metrics.errorsPerMinute()).toBe(2);
    now = 61_000;
    expect([metrics.errorsPerMinute(), metrics.errors]).toEqual([1, 2]);
  });
});

test("the health figures of Prometheus' text leave out what was not measured", () => {
  const report = reportOf({});
  report.performance.loop_delay_us = { mean: null, p50: null, p95: null, p99: null };
  const lines = prometheusText(healthFigures(report)).split("\n");
  expect(lines).toContain('llmspell_info{version="1.2.3",kernel_id="k\\"1"} 1');
  expect(lines).toContain("llmspell_executions_total 4");
  expect(lines).toContain('llmspell_load_average{over="5m"} 0.25');
  expect(lines).toContain('llmspell_state_operations_total{operation="read"} 12');
  expect(lines).toContain('llmspell_state_latency_seconds{operation="write"} 0.000034');
  expect(lines.filter((line) => line.startsWith("llmspell_loop_delay_seconds{"))).toEqual([]);
});
