/** The state dump of SIGUSR2: spec/kernel.md section 10.3. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PerformanceFigures } from "./health/report.ts";

export interface DumpContent {
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

/** @returns the path, readable by its owner only */
export function writeDump(dataDirectory: string, content: DumpContent, now = new Date()): string {
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
