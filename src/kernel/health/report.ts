/** The health report: spec/kernel.md section 12.1. Pure: figures and limits in, report out. */
import type { Config } from "../../config/schema.ts";
import type { StateFigures } from "../../state/service.ts";
import type { HubStatus } from "../hub.ts";
import type { LatencyFigures } from "./request-metrics.ts";
import type { SystemFigures } from "./system.ts";

export interface PerformanceFigures extends StateFigures {
  requests: number;
  errors: number;
  error_rate_per_minute: number;
  active_operations: number;
  /** How late the kernel's thread comes to what is due, in the last minute. */
  loop_delay_us: LatencyFigures;
  /** From a request's arrival until its turn: executions wait for those before them. */
  wait_us: LatencyFigures;
  /** From its turn until its reply: the script's, model's or tool's own time. */
  duration_us: LatencyFigures;
}

export interface HealthReport {
  status: "Healthy" | "Degraded" | "Unhealthy";
  /** ISO 8601. */
  timestamp: string;
  system: SystemFigures;
  connections: { active_connections: number; client_ids: string[] };
  performance: PerformanceFigures;
  issues: string[];
  thresholds: Omit<Config["health"], "check_interval_secs">;
  kernel_info: { name: "llmspell"; version: string; kernel_id: string; execution_count: number };
}

/** A warning begins at this share of a limit of memory or processor time. */
const WARN_SHARE = 0.8;

export interface HealthInput {
  system: SystemFigures;
  performance: PerformanceFigures;
  hub: HubStatus;
  limits: Config["health"];
  version: string;
}

export function healthReport({ system, performance, hub, limits, version }: HealthInput): HealthReport {
  const { check_interval_secs: _, ...thresholds } = limits;
  const critical: string[] = [];
  const warnings: string[] = [];
  const hold = (what: string, value: number, limit: number, unit: string) => {
    const text = `${what} is ${round(value)}${unit}, the limit is ${limit}${unit}`;
    if (value > limit) critical.push(text);
    else if (value > limit * WARN_SHARE) warnings.push(text);
  };
  const watch = (what: string, value: number | null, limit: number, unit: string) => {
    if (value !== null && value > limit)
      warnings.push(`${what} is ${round(value)}${unit}, the limit is ${limit}${unit}`);
  };
  hold("Memory", system.memory_usage_mb, limits.max_memory_mb, " MB");
  hold("Processor time", system.cpu_usage_percent, limits.max_cpu_percent, " %");
  watch("The number of clients", hub.clients.length, limits.max_connections, "");
  watch("The mean delay of the kernel", performance.loop_delay_us.mean, limits.max_avg_latency_us, " µs");
  watch(
    "The number of errors",
    performance.error_rate_per_minute,
    limits.max_error_rate_per_minute,
    " a minute",
  );
  return {
    status: critical.length > 0 ? "Unhealthy" : warnings.length > 0 ? "Degraded" : "Healthy",
    timestamp: new Date().toISOString(),
    system,
    connections: {
      active_connections: hub.clients.length,
      client_ids: hub.clients.map(({ id }) => id),
    },
    performance,
    issues: [...critical, ...warnings],
    thresholds,
    kernel_info: {
      name: "llmspell",
      version,
      kernel_id: hub.id,
      execution_count: hub.executionCount,
    },
  };
}

/** A figure above its limit, for hooks. */
export interface Excess {
  point: "MemoryUsageHigh" | "CpuUsageHigh" | "PerformanceThresholdExceeded";
  metric: string;
  value: number;
  limit: number;
}

export function excesses({ system, connections, performance, thresholds }: HealthReport): Excess[] {
  const point = "PerformanceThresholdExceeded" as const;
  const held: { point: Excess["point"]; metric: string; value: number | null; limit: number }[] = [
    {
      point: "MemoryUsageHigh",
      metric: "memory_usage_mb",
      value: system.memory_usage_mb,
      limit: thresholds.max_memory_mb,
    },
    {
      point: "CpuUsageHigh",
      metric: "cpu_usage_percent",
      value: system.cpu_usage_percent,
      limit: thresholds.max_cpu_percent,
    },
    {
      point,
      metric: "active_connections",
      value: connections.active_connections,
      limit: thresholds.max_connections,
    },
    {
      point,
      metric: "loop_delay_us",
      value: performance.loop_delay_us.mean,
      limit: thresholds.max_avg_latency_us,
    },
    {
      point,
      metric: "error_rate_per_minute",
      value: performance.error_rate_per_minute,
      limit: thresholds.max_error_rate_per_minute,
    },
  ];
  return held.filter((figure): figure is Excess => figure.value !== null && figure.value > figure.limit);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
