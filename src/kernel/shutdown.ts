/** The orderly end of a kernel: six transitions (spec/kernel.md section 10.2). */
import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Operations } from "./operations.ts";

export const SHUTDOWN_PHASES = [
  "Running",
  "Initiated",
  "WaitingForOperations",
  "SavingState",
  "NotifyingClients",
  "Cleanup",
  "Complete",
] as const;
export type ShutdownPhase = (typeof SHUTDOWN_PHASES)[number];

export interface ShutdownStatistics {
  initiated_at_ms: number;
  operations_completed: number;
  operations_cancelled: number;
  clients_notified: number;
  state_saved: boolean;
  duration_ms: number;
}

export interface ShutdownSteps {
  /** False where the configuration wants no state kept. */
  saveState(activeOperations: number): Promise<boolean>;
  /** How many were told. */
  notifyClients(): Promise<number>;
  cleanUp(): Promise<void>;
}

export interface ShutdownLimits {
  /** For running requests, before they are interrupted. */
  operationMs: number;
  /** For everything. */
  graceMs: number;
}

/** A cancelled request's time to say so. */
const LAST_WORDS_MS = 1000;

export interface ShutdownResult {
  graceful: boolean;
  statistics: ShutdownStatistics;
}

/**
 * Runs the phases. What fails in one is logged, and the next one runs. Once the grace period is over or `force` is
 * aborted, no phase is waited for any more, and the kernel's end is not graceful.
 */
export async function shutDown(
  operations: Operations,
  steps: ShutdownSteps,
  { operationMs, graceMs }: ShutdownLimits,
  { log, force }: { log: Log; force: AbortSignal },
): Promise<ShutdownResult> {
  const startedMs = performance.now();
  const completedBefore = operations.completed;
  const statistics: ShutdownStatistics = {
    initiated_at_ms: Date.now(),
    operations_completed: 0,
    operations_cancelled: 0,
    clients_notified: 0,
    state_saved: false,
    duration_ms: 0,
  };
  const ending = AbortSignal.any([force, AbortSignal.timeout(graceMs)]);
  const phase = async (name: ShutdownPhase, work: () => Promise<void>) => {
    log.info("kernel", "shutdown phase", { phase: name, active_operations: operations.active });
    try {
      await unlessAborted(ending, work());
    } catch (error) {
      if (!ending.aborted)
        log.write("error", "kernel", "shutdown phase failed", { phase: name, error: messageOf(error) });
    }
  };

  await phase("Initiated", async () => operations.refuse());
  await phase("WaitingForOperations", async () => {
    if (await operations.idle(operationMs)) return;
    cancelAll(operations);
    await operations.idle(LAST_WORDS_MS);
  });
  if (ending.aborted) cancelAll(operations);
  const unfinished = operations.active;
  await phase("SavingState", async () => {
    statistics.state_saved = await steps.saveState(unfinished);
  });
  await phase("NotifyingClients", async () => {
    statistics.clients_notified = await steps.notifyClients();
  });
  await phase("Cleanup", () => steps.cleanUp());
  statistics.operations_completed = operations.completed - completedBefore;
  statistics.operations_cancelled = operations.cancelled + operations.active;
  statistics.duration_ms = Math.round(performance.now() - startedMs);
  const graceful = !ending.aborted;
  log.info("kernel", "shutdown complete", { phase: "Complete", graceful, ...statistics });
  return { graceful, statistics };
}

function cancelAll(operations: Operations): void {
  operations.cancel(new SpellError("interrupted", "The kernel is shutting down"));
}

/** The work's end, or the signal's. Work that has begun goes on. */
async function unlessAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const stop = () => stopped.resolve();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race(signal.aborted ? [Promise.race([work, Bun.sleep(0)])] : [work, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
