/** What kernels that run say of themselves: for `kernel status`. */
import { readdirSync } from "node:fs";
import { type FoundKernel, findKernels } from "./connection-file.ts";
import { connectKernel } from "./remote-client.ts";

export interface KernelRow {
  kernel: {
    id: string;
    pid: number;
    port: number;
    connection_file: string;
    pid_file: string | null;
    log_file: string | null;
    status: "Idle" | "Busy" | "Stopping" | "Unknown";
    start_time: string | null;
  };
  /** Null: the kernel did not say. */
  metrics: {
    cpu_percent: number | null;
    memory_bytes: number | null;
    memory_percent: number | null;
    open_files: number | null;
    active_connections: number | null;
    uptime: { secs: number; nanos: number };
    last_activity: string | null;
  };
  /** The kernel's whole answer, where it gave one. */
  report: Record<string, unknown> | null;
}

/** A kernel that does not answer by then is shown as Unknown. */
const ANSWER_WITHIN_MS = 1000;

const STATES: Readonly<Record<string, KernelRow["kernel"]["status"]>> = {
  idle: "Idle",
  busy: "Busy",
  terminating: "Stopping",
};

/** @param id only this one */
export function kernelRows(env: Record<string, string | undefined>, id?: string): Promise<KernelRow[]> {
  const found = findKernels(env).filter((kernel) => id === undefined || kernel.id === id);
  return Promise.all(found.map(rowOf));
}

interface Answer {
  execution_state: string;
  last_activity: string;
  clients: number;
  system: { cpu_usage_percent: number; memory_usage_bytes: number; system_total_memory_bytes: number };
}

async function rowOf({ id, path, connection }: FoundKernel): Promise<KernelRow> {
  const report = await ask(connection.ip, connection.websocket_port ?? 0, connection.token ?? "");
  const answer = report as unknown as Answer | null;
  const upMs = Math.max(0, Date.now() - Date.parse(connection.started_at ?? new Date().toISOString()));
  const memory = answer?.system.memory_usage_bytes ?? null;
  return {
    kernel: {
      id,
      pid: connection.pid,
      port: connection.shell_port || connection.websocket_port || 0,
      connection_file: path,
      pid_file: connection.pid_file ?? null,
      log_file: connection.log_file ?? null,
      status: (answer && STATES[answer.execution_state]) ?? "Unknown",
      start_time: connection.started_at ?? null,
    },
    metrics: {
      cpu_percent: answer?.system.cpu_usage_percent ?? null,
      memory_bytes: memory,
      memory_percent:
        answer === null || memory === null
          ? null
          : Math.round((memory / answer.system.system_total_memory_bytes) * 1000) / 10,
      open_files: openFiles(connection.pid),
      active_connections: answer?.clients ?? null,
      uptime: { secs: Math.floor(upMs / 1000), nanos: (upMs % 1000) * 1_000_000 },
      last_activity: answer?.last_activity ?? null,
    },
    report,
  };
}

async function ask(host: string, port: number, token: string): Promise<Record<string, unknown> | null> {
  if (port === 0 || token === "") return null;
  try {
    const kernel = await connectKernel({ host, port, token }, { timeoutMs: ANSWER_WITHIN_MS });
    const reply = await kernel.request(
      { type: "kernel_status" },
      { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) },
    );
    await kernel.shutdown();
    return reply.status === "ok" ? (reply as Record<string, unknown>) : null;
  } catch {
    return null; // shown as Unknown: it may be stopping, stopped by a debugger, or full
  }
}

/** Linux tells; null elsewhere, and of another user's process. */
function openFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return null; // no /proc, or not ours to see
  }
}
