/** A subscription with a queue: what waits in it, who waits for it, and what is lost when nobody takes it. */
import { randomId } from "../core/clock.ts";
import type { BusEvent } from "./event.ts";
import { EventQueue } from "./queue.ts";
import type { OverflowPolicy, Received, Subscription } from "./service.ts";

/** Events that wait take at most this much memory in one queue. */
const MAX_QUEUE_BYTES = 64 << 20;

export interface QueueSettings {
  pattern: string;
  language: string;
  owner: AbortSignal | undefined;
  bufferSize: number;
  overflow: OverflowPolicy;
  /** Shares of the queue: it is behind from the upper one on, until it has fallen to the lower one. */
  highWater: number;
  lowWater: number;
  /** Its owner empties it even while it waits: a function of the script is called for each event. */
  isServed: boolean;
}

export interface QueueEvents {
  /** It has fallen behind, or has begun to lose events. Once until it has caught up. */
  behind(subscription: QueuedSubscription, isLosing: boolean): void;
  dropped(): void;
  expired(): void;
  ended(subscription: QueuedSubscription): void;
}

interface Waiter {
  resolve(received: Received | undefined): void;
}

export class QueuedSubscription implements Subscription {
  readonly id = randomId();
  readonly pattern: string;
  readonly language: string;
  dropped = 0;
  private readonly queue: EventQueue;
  private readonly waiters = new Set<Waiter>();
  private readonly end_ = new AbortController();
  /** Those who wait for room. */
  private roomWishes: (() => void)[] = [];
  private missed = 0;
  private isBehind = false;
  private isLosing = false;

  constructor(
    readonly settings: QueueSettings,
    private readonly events: QueueEvents,
  ) {
    this.pattern = settings.pattern;
    this.language = settings.language;
    this.queue = new EventQueue(settings.bufferSize, MAX_QUEUE_BYTES);
    settings.owner?.addEventListener("abort", this.onOwnerEnded, { once: true });
  }

  private readonly onOwnerEnded = () => this.end();

  get ended(): AbortSignal {
    return this.end_.signal;
  }

  get queued(): number {
    return this.queue.size;
  }

  get isFull(): boolean {
    return this.queue.isFull;
  }

  /** @returns whether it, and all that waited before, is kept */
  offer(event: BusEvent): boolean {
    if (this.waiters.size > 0) {
      const [waiter] = this.waiters;
      this.waiters.delete(waiter!);
      waiter!.resolve({ event, missed: this.takeMissed() });
      return true;
    }
    const isLost = this.queue.isFull;
    if (isLost) {
      this.lost();
      if (this.settings.overflow === "DropNewest" || this.settings.overflow === "Reject") return false;
      this.queue.shiftLeastUrgent();
    }
    this.queue.push(event);
    if (!this.isBehind && this.queue.fill >= this.settings.highWater) {
      this.isBehind = true;
      this.events.behind(this, false);
    }
    return !isLost;
  }

  private lost(): void {
    this.dropped++;
    this.missed++;
    this.events.dropped();
    if (this.isLosing) return;
    this.isLosing = true;
    this.events.behind(this, true);
  }

  /** Where an event was refused before it was offered. */
  refused(): void {
    this.missed++;
  }

  private takeMissed(): number {
    const { missed } = this;
    this.missed = 0;
    return missed;
  }

  poll(): Received | undefined {
    for (;;) {
      const event = this.queue.shift();
      if (event === undefined) return undefined;
      if (this.isBehind && this.queue.fill <= this.settings.lowWater) this.caughtUp();
      if (!event.isExpired(Date.now())) return { event, missed: this.takeMissed() };
      this.events.expired();
    }
  }

  private caughtUp(): void {
    this.isBehind = false;
    this.isLosing = false;
    for (const wish of this.roomWishes.splice(0)) wish();
  }

  /** Resolves when the queue has fallen to its low water, or has ended. */
  room(): Promise<void> {
    if (!this.queue.isFull || this.ended.aborted) return Promise.resolve();
    return new Promise((resolve) => this.roomWishes.push(resolve));
  }

  receive(timeoutMs: number, signal?: AbortSignal): Promise<Received | undefined> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const waiting = this.poll();
    if (waiting !== undefined || timeoutMs <= 0 || this.ended.aborted) return Promise.resolve(waiting);
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        this.waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (received) => {
          finish();
          resolve(received);
        },
      };
      const stop = () => {
        finish();
        reject(signal?.reason);
      };
      const timer = setTimeout(() => waiter.resolve(undefined), Math.min(timeoutMs, MAX_TIMER_MS));
      signal?.addEventListener("abort", stop, { once: true });
      this.waiters.add(waiter);
    });
  }

  end(): void {
    if (this.ended.aborted) return;
    this.settings.owner?.removeEventListener("abort", this.onOwnerEnded);
    this.end_.abort();
    for (const waiter of [...this.waiters]) waiter.resolve(undefined);
    for (const wish of this.roomWishes.splice(0)) wish();
    this.events.ended(this);
  }
}

/** Longer timers fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
