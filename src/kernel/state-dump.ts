/** The state dump of SIGUSR2: spec/kernel.md section 10.3. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "../config/schema.ts";
import { messageOf } from "../core/errors.ts";
import type { HealthMonitor } from "./health/monitor.ts";
import type { PerformanceFigures } from "./health/report.ts";
import type { HubStatus } from "./hub.ts";
import type { KernelLog } from "./logs/kernel-log.ts";

interface DumpContent {
  kernel: { version: string; name: string; id: string };
  config: { log_level: string; max_connections: number; timeout_secs: number };
  metrics: {
    config_reloads: number;
    successful_reloads: number;
    state_dumps: number;
    successful_dumps: number;
    last_reload_at: string | null;
    last_dump_at: string | null;
  };
  system: { uptime_secs: number; memory_usage_mb: number; cpu_usage_percent: number };
  kernel_state: {
    execution_count: number;
    status: string;
    clients: { id: string; name: string }[];
    performance: PerformanceFigures;
  };
}

const LONGEST_BYTES = 100 * 1024 * 1024;

interface DumperOptions {
  directory: string;
  log: KernelLog;
  monitor: HealthMonitor;
  hub: () => HubStatus;
  config: () => Config;
  reloads: () => { attempts: number; successes: number; lastAt: string | null };
}

export class StateDumper {
  private attempts = 0;
  private successes = 0;
  private lastAt: string | null = null;

  constructor(private readonly options: DumperOptions) {}

  /** A failure is logged. */
  dump(): void {
    this.attempts++;
    const { log } = this.options.log;
    try {
      const path = writeDump(this.options.directory, this.content());
      this.successes++;
      this.lastAt = new Date().toISOString();
      log.info("kernel", "state dumped", { path });
    } catch (error) {
      log.write("error", "kernel", "state not dumped", { error: messageOf(error) });
    }
  }

  private content(): DumpContent {
    const { monitor, config, hub, reloads, log } = this.options;
    const { system, performance, kernel_info } = monitor.report();
    const { health, kernel } = config();
    const { state, clients, executionCount } = hub();
    const { attempts, successes, lastAt } = reloads();
    return {
      kernel: { version: kernel_info.version, name: kernel_info.name, id: kernel_info.kernel_id },
      config: {
        log_level: log.level(),
        max_connections: health.max_connections,
        timeout_secs: kernel.max_execution_time_secs,
      },
      metrics: {
        config_reloads: attempts,
        successful_reloads: successes,
        state_dumps: this.attempts,
        successful_dumps: this.successes,
        last_reload_at: lastAt,
        last_dump_at: this.lastAt,
      },
      system: {
        uptime_secs: system.uptime_secs,
        memory_usage_mb: system.memory_usage_mb,
        cpu_usage_percent: system.cpu_usage_percent,
      },
      kernel_state: { execution_count: executionCount, status: state, clients, performance },
    };
  }
}

/** @returns the path, readable by its owner only */
function writeDump(dataDirectory: string, content: DumpContent, now = new Date()): string {
  const time = now.toISOString().replaceAll(/[:.]/g, "-");
  const path = join(dataDirectory, "dumps", `${content.kernel.id}-${time}.json`);
  const { kernel_state, ...rest } = content;
  const short = { timestamp: now.getTime(), timestamp_iso: now.toISOString(), ...rest };
  const isLong = JSON.stringify(kernel_state).length > LONGEST_BYTES;
  writeWhole(path, isLong ? { ...short, truncated: true } : { ...short, kernel_state });
  return path;
}

/** Writes a document aside and renames it, for its owner only. */
export function writeWhole(path: string, document: object): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 });
  renameSync(aside, path);
}
