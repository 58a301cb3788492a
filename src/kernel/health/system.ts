/** Figures of this process and its machine. */
import { availableParallelism, loadavg } from "node:os";
import { type MachineMemory, machineMemory } from "../../core/machine-memory.ts";

export interface SystemFigures {
  pid: number;
  uptime_secs: number;
  memory_usage_bytes: number;
  memory_usage_mb: number;
  /** Share of all processors since the last look; 100 is all of them. */
  cpu_usage_percent: number;
  system_total_memory_bytes: number;
  system_available_memory_bytes: number;
  cpu_cores: number;
  /** Of the last 1, 5 and 15 minutes. */
  load_average: number[];
}

interface CpuSample {
  atMs: number;
  usedMs: number;
}

/** A shorter span says more of the clock's grain than of the process. */
const SHORTEST_SPAN_MS = 500;

export class SystemProbe {
  private before: CpuSample = { atMs: 0, usedMs: 0 };
  private latest: CpuSample = sample();

  /** Begins a new span of processor time. */
  look(): void {
    const now = sample();
    if (now.atMs - this.latest.atMs < SHORTEST_SPAN_MS) return;
    this.before = this.latest;
    this.latest = now;
  }

  figures(memory: MachineMemory = machineMemory()): SystemFigures {
    const rss = process.memoryUsage.rss();
    return {
      pid: process.pid,
      uptime_secs: Math.round(process.uptime()),
      memory_usage_bytes: rss,
      memory_usage_mb: Math.round(rss / 1024 / 1024),
      cpu_usage_percent: this.cpuPercent(),
      system_total_memory_bytes: memory.totalBytes,
      system_available_memory_bytes: memory.freeBytes,
      cpu_cores: availableParallelism(),
      load_average: loadavg(),
    };
  }

  private cpuPercent(): number {
    const now = sample();
    const from = now.atMs - this.latest.atMs >= SHORTEST_SPAN_MS ? this.latest : this.before;
    const share = (now.usedMs - from.usedMs) / (now.atMs - from.atMs) / availableParallelism();
    return Math.round(Math.min(1, Math.max(0, share)) * 1000) / 10;
  }
}

/** Since the process began. */
function sample(): CpuSample {
  const { user, system } = process.cpuUsage();
  return { atMs: performance.now(), usedMs: (user + system) / 1000 };
}
