/** How late the kernel's thread comes to what is due: what every message waits for, whatever scripts do. */
import { type LatencyFigures, latencyOf } from "./request-metrics.ts";

const EVERY_MS = 1000;
const KEPT = 60;

export class LoopDelay implements Disposable {
  private readonly delaysMs: number[] = [];
  private count = 0;
  private dueMs = performance.now() + EVERY_MS;
  private readonly timer = setInterval(() => this.take(), EVERY_MS);

  constructor() {
    this.timer.unref();
  }

  private take(): void {
    const now = performance.now();
    this.delaysMs[this.count++ % KEPT] = Math.max(0, now - this.dueMs);
    this.dueMs = now + EVERY_MS;
  }

  /** Of the last minute. */
  figures(): LatencyFigures {
    return latencyOf(this.delaysMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }
}
