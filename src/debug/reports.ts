import { stringifyJson } from "../core/json.ts";
import { percentile } from "../core/percentile.ts";
import type { PathTimes, Profiler, Timer } from "./profiler.ts";

function summary(times: PathTimes) {
  const samples = times.samples.last();
  return {
    name: times.path.at(-1)!,
    path: times.path.join(";"),
    count: times.count,
    total_ms: times.totalMs,
    self_ms: Math.max(0, times.totalMs - times.childMs),
    mean_ms: times.totalMs / times.count,
    min_ms: times.minMs,
    max_ms: times.maxMs,
    p50_ms: percentile(samples, 50),
    p95_ms: percentile(samples, 95),
    p99_ms: percentile(samples, 99),
  };
}

export interface ReportOptions {
  /** Leave out paths whose total is shorter. */
  minDurationMs?: number;
  /** Show timers that ran inside others. Default true. */
  includeChildren?: boolean;
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
    )
    .join("\n");
}

/** A table of all timers for people; nested timers are indented. */
export function textReport(profiler: Profiler, options: ReportOptions = {}): string {
  const shown = profiler
    .times()
    .filter((t) => t.totalMs >= (options.minDurationMs ?? 0))
    .filter((t) => options.includeChildren !== false || t.path.length === 1);
  const running = profiler.running();
  if (shown.length === 0 && running.length === 0) return "Performance report: no timers";
  const ms = (value: number) => value.toFixed(3);
  const header = ["timer", "count", "total ms", "self ms", "mean ms", "p50 ms", "p95 ms", "p99 ms", "max ms"];
  const rows = shown.map((times) => {
    const s = summary(times);
    const figures = [s.total_ms, s.self_ms, s.mean_ms, s.p50_ms, s.p95_ms, s.p99_ms, s.max_ms].map(ms);
    return [`${"  ".repeat(times.path.length - 1)}${s.name}`, String(s.count), ...figures];
  });
  const lines = ["Performance report", align([header, ...rows])];
  if (running.length > 0)
    lines.push(`Running: ${running.map((t) => `${t.name} (${ms(t.elapsed() ?? 0)} ms)`).join(", ")}`);
  const events = profiler.events();
  if (events.length > 0) {
    lines.push("Events");
    for (const e of events) lines.push(`  ${e.timer} +${ms(e.elapsedMs)} ms ${e.kind} ${e.name}`);
  }
  return lines.join("\n");
}

/** JSON text `{timers, running, events}`; times in milliseconds, percentiles over the newest runs. */
export function jsonReport(profiler: Profiler): string {
  return stringifyJson({
    timers: profiler.times().map(summary),
    running: profiler.running().map((t) => ({ id: t.id, name: t.name, elapsed_ms: t.elapsed() ?? 0 })),
    events: profiler.events().map((e) => ({
      timer_id: e.timerId,
      timer: e.timer,
      kind: e.kind,
      name: e.name,
      elapsed_ms: e.elapsedMs,
      ...(e.metadata === undefined ? {} : { metadata: e.metadata }),
    })),
  });
}

/** Folded stacks, one `outer;inner microseconds` line a path: what flame graph programs read. Values are self time. */
export function foldedStacks(profiler: Profiler): string {
  const frame = (name: string) => name.replace(/[;\r\n]/g, "_");
  return profiler
    .times()
    .map((t) => `${t.path.map(frame).join(";")} ${Math.round(Math.max(0, t.totalMs - t.childMs) * 1000)}`)
    .join("\n");
}

/** What running timers have seen the script's heap grow by; `nowBytes` is its size now. */
export function memorySnapshot(running: readonly Timer[], nowBytes: number, nowMs: number) {
  const usage: Record<string, { start_bytes: number; end_bytes: number; delta_bytes: number }> = {};
  for (const timer of running) {
    const name = Object.hasOwn(usage, timer.name) ? `${timer.name}#${timer.id}` : timer.name;
    usage[name] = {
      start_bytes: timer.startBytes,
      end_bytes: nowBytes,
      delta_bytes: nowBytes - timer.startBytes,
    };
  }
  const total = Object.values(usage).reduce((sum, entry) => sum + entry.delta_bytes, 0);
  return {
    timestamp_secs: Math.floor(nowMs / 1000),
    active_trackers: running.length,
    ...(running.length === 0 ? {} : { total_memory_delta_bytes: total, tracker_memory_usage: usage }),
  };
}
