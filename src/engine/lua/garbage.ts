/**
 * What the script thread's JavaScript leaves behind. The thread waits for the kernel without returning to its event loop,
 * so the collector's timers never run there: left alone, garbage of many small executions grows to a multiple of what
 * lives before memory is looked through, and stays while the thread has nothing to do.
 */
import { edenGC, gcAndSweep } from "bun:jsc";

/** Between two collections of what is new, which take about a millisecond each. */
const EVERY_MS = 250;
/** Nothing to do for so long: everything is collected, which takes some ten milliseconds. */
const IDLE_MS = 500;

export class ThreadGarbage {
  private collectedAtMs = performance.now();
  /** Something ran since everything was collected. */
  private hasRun = false;

  /** An execution has ended, and its outcome was sent. */
  ran(): void {
    this.hasRun = true;
    const nowMs = performance.now();
    if (nowMs - this.collectedAtMs < EVERY_MS) return;
    edenGC();
    this.collectedAtMs = performance.now();
  }

  /** How long to wait for work until `idle` is to be called, in milliseconds. */
  get patienceMs(): number {
    return this.hasRun ? IDLE_MS : Number.POSITIVE_INFINITY;
  }

  /** Nothing came in that time. */
  idle(): void {
    this.hasRun = false;
    gcAndSweep();
    this.collectedAtMs = performance.now();
  }
}
