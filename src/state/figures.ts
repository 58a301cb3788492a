/** How often state was read and written, how long that took and what failed. */
import { SpellError } from "../core/errors.ts";
import type { GuardedBackend } from "./guard.ts";
import type { StateFigures } from "./service.ts";

/** Failures of the caller, not of state. */
const CALLERS = new Set(["invalid_argument", "permission_denied", "limit", "interrupted"]);

export const isFailureOfState = (error: unknown): boolean =>
  !(error instanceof SpellError && CALLERS.has(error.code));

export class Meter {
  calls = 0;
  errors = 0;
  private totalMs = 0;

  async time<T>(work: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    this.calls++;
    try {
      return await work();
    } catch (error) {
      if (isFailureOfState(error)) this.errors++;
      throw error;
    } finally {
      this.totalMs += performance.now() - startMs;
    }
  }

  get meanUs(): number {
    return this.calls === 0 ? 0 : Math.round((this.totalMs * 1000) / this.calls);
  }
}

export function stateFigures(reads: Meter, writes: Meter, backend: GuardedBackend): StateFigures {
  return {
    reads: reads.calls,
    writes: writes.calls,
    avg_read_latency_us: reads.meanUs,
    avg_write_latency_us: writes.meanUs,
    read_errors: reads.errors,
    write_errors: writes.errors,
    persistence_ops: backend.operations,
    persistence_errors: backend.errors,
    circuit_breaker_trips: backend.trips,
  };
}
