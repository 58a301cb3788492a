/** Where events go besides: exports, the store, other machines. None of them makes a publisher wait. */
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { Burst } from "./burst.ts";
import type { BusEvent } from "./event.ts";
import type { OutletStats } from "./service.ts";

export interface Outlet {
  readonly name: string;
  take(event: BusEvent): void;
  /** Resolves when everything taken so far was handed over or given up. */
  flush(): Promise<void>;
  close(): Promise<void>;
  stats(): OutletStats;
}

export interface BatchSettings {
  name: string;
  log: Log;
  /** Events that may wait; beyond it the oldest are dropped. */
  maxWaiting: number;
  maxBatch: number;
  /** How long the first event of a batch waits for others. */
  intervalMs: number;
  /** Takes what other machines publish too. Default: only what was published here. */
  takesRemote?: boolean;
}

/** Hands events over in batches, one batch at a time. */
export abstract class BatchOutlet implements Outlet {
  readonly name: string;
  protected readonly log: Log;
  private waiting: BusEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private working: Promise<void> | undefined;
  private readonly counts = { sent: 0, dropped: 0, failures: 0 };
  private readonly drops = new Burst();
  private readonly failures = new Burst();

  constructor(private readonly settings: BatchSettings) {
    this.name = settings.name;
    this.log = settings.log;
  }

  /** Hands a batch over. What it throws is logged, and the batch is given up. */
  protected abstract hand(batch: readonly BusEvent[]): Promise<void>;

  take(event: BusEvent): void {
    if (event.origin !== "local" && !this.settings.takesRemote) return;
    if (this.waiting.length >= 2 * this.settings.maxWaiting)
      this.drop(this.waiting.splice(0, this.settings.maxWaiting).length);
    this.waiting.push(event);
    if (this.waiting.length >= this.settings.maxBatch) this.work();
    else this.timer ??= setTimeout(() => this.work(), this.settings.intervalMs);
  }

  private work(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.working ??= this.handAll().finally(() => {
      this.working = undefined;
    });
    return this.working;
  }

  private async handAll(): Promise<void> {
    // Others who publish in this turn are waited for: they go along.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const excess = this.waiting.length - this.settings.maxWaiting;
      if (excess > 0) {
        this.waiting.splice(0, excess);
        this.drop(excess);
      }
      const batch = this.waiting.splice(0, this.settings.maxBatch);
      try {
        await this.hand(batch);
        this.counts.sent += batch.length;
      } catch (error) {
        this.failed(error, batch.length);
        this.drop(batch.length);
      }
    }
  }

  /** @param events that are given up for it */
  protected failed(error: unknown, _events: number): void {
    this.counts.failures++;
    if (this.failures.begins())
      this.log.warn("event", `events could not be handed over: ${this.name}`, { reason: messageOf(error) });
  }

  private drop(count: number): void {
    this.counts.dropped += count;
    if (this.drops.begins())
      this.log.warn("event", `events are dropped: ${this.name}`, { dropped: this.counts.dropped });
  }

  async flush(): Promise<void> {
    while (this.waiting.length > 0 || this.working !== undefined) await this.work();
  }

  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.timer);
  }

  stats(): OutletStats {
    return { ...this.counts, waiting: this.waiting.length };
  }
}
