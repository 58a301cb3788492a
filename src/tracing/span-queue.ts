/** Spans that wait to be sent: bounded, in batches, one on its way at a time. */
import type { SpanRecord } from "./tracer.ts";

export interface QueueOptions {
  /** Never throws. @returns whether the batch was taken */
  send: (batch: readonly SpanRecord[], signal: AbortSignal) => Promise<boolean>;
  /** Spans that wait; more are dropped. */
  capacity?: number;
  batchSize?: number;
  /** After the first span of a batch that is not full. */
  delayMs?: number;
}

/** Characters of attributes: recorded prompts weigh more than spans. */
const BATCH_CHARACTERS = 1_000_000;
const WAITING_CHARACTERS = 16_000_000;

export class SpanQueue {
  /** Spans that never reached the collector. */
  dropped = 0;
  private readonly waiting: SpanRecord[] = [];
  private characters = 0;
  private sending: Promise<void> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly ended = new AbortController();
  private readonly capacity: number;
  private readonly batchSize: number;
  private readonly delayMs: number;

  constructor(private readonly options: QueueOptions) {
    this.capacity = options.capacity ?? 4096;
    this.batchSize = options.batchSize ?? 512;
    this.delayMs = options.delayMs ?? 1000;
  }

  add(span: SpanRecord): void {
    const isFull = this.waiting.length >= this.capacity || this.characters > WAITING_CHARACTERS;
    if (isFull || this.ended.signal.aborted) {
      this.dropped++;
      return;
    }
    this.waiting.push(span);
    this.characters += weightOf(span);
    this.plan();
  }

  private plan(): void {
    if (this.sending !== undefined || this.waiting.length === 0) return;
    if (this.waiting.length >= this.batchSize || this.characters > BATCH_CHARACTERS) this.start();
    else if (this.timer === undefined) {
      this.timer = setTimeout(() => this.start(), this.delayMs);
      this.timer.unref();
    }
  }

  private start(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sending ??= this.drain().finally(() => {
      this.sending = undefined;
      this.plan();
    });
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0 && !this.ended.signal.aborted) {
      const batch = this.nextBatch();
      if (!(await this.options.send(batch, this.ended.signal))) this.dropped += batch.length;
    }
  }

  private nextBatch(): SpanRecord[] {
    let size = 0;
    let characters = 0;
    while (size < Math.min(this.batchSize, this.waiting.length)) {
      const weight = weightOf(this.waiting[size]!);
      if (size > 0 && characters + weight > BATCH_CHARACTERS) break;
      characters += weight;
      size++;
    }
    this.characters -= characters;
    return this.waiting.splice(0, size);
  }

  /** Sends what waits; what is not sent within this time is dropped, and so is all that comes later. */
  async close(withinMs: number): Promise<void> {
    const timer = setTimeout(() => this.ended.abort(), withinMs);
    while (this.waiting.length > 0 && !this.ended.signal.aborted) {
      this.start();
      await this.sending;
    }
    await this.sending;
    clearTimeout(timer);
    clearTimeout(this.timer);
    this.ended.abort();
    this.dropped += this.waiting.splice(0).length;
  }
}

function weightOf({ attributes, error }: SpanRecord): number {
  let characters = error?.message?.length ?? 0;
  for (const value of Object.values(attributes)) if (typeof value === "string") characters += value.length;
  return characters;
}
