/**
 * The events that memory keeps, and which of them belong together (spec/kernel.md section 18.4). Bounded by number and
 * size over all and by number in each correlation. Links are found when a timeline is asked for.
 */
import type { BusEvent, EventIds } from "./event.ts";
import { linksOf } from "./links.ts";
import { compilePattern, matchesPattern } from "./pattern.ts";
import type { EventQuery, Timeline } from "./service.ts";

export const DEFAULT_QUERY_LIMIT = 100;

const MAX_MEMORY_BYTES = 32 << 20;
const MAX_CORRELATIONS = 10_000;
const MAX_EVENTS_IN_ONE = 1000;
const MAX_AGE_MS = 3_600_000;

/** One correlation. Its events are linked to each other, oldest first. */
class Thread {
  first: BusEvent | undefined = undefined;
  last: BusEvent | undefined = undefined;
  count = 0;
  lastMs: number;

  constructor(
    readonly id: string,
    readonly parentId: string | undefined,
    readonly rootId: string,
    readonly createdAtMs: number,
  ) {
    this.lastMs = createdAtMs;
  }
}

export class EventMemory {
  private readonly ring: (BusEvent | undefined)[];
  private oldest = 0;
  private count = 0;
  private bytes = 0;
  private readonly threads = new Map<string, Thread>();
  /** That of the last event: many of one correlation often come in a row. */
  private current: Thread | undefined;

  /** @param capacity events kept; 0 for none */
  constructor(
    private readonly capacity: number,
    private readonly ids: EventIds,
  ) {
    this.ring = new Array(capacity);
  }

  get size(): number {
    return this.count;
  }

  get correlations(): number {
    return this.threads.size;
  }

  add(event: BusEvent): void {
    if (this.capacity === 0) return;
    if (this.count === this.capacity) this.forgetOldest();
    this.ring[(this.oldest + this.count++) % this.capacity] = event;
    this.bytes += event.weight;
    while (this.bytes > MAX_MEMORY_BYTES && this.count > 0) this.forgetOldest();
    if (event.correlation !== undefined && this.count > 0) this.join(event, event.correlation);
  }

  private join(event: BusEvent, correlation: string): void {
    const { current } = this;
    const thread = current?.id === correlation ? current : this.threadOf(event, correlation);
    this.current = thread;
    this.append(thread, event);
  }

  private append(thread: Thread, event: BusEvent): void {
    event.thread = thread;
    event.prior = thread.last;
    if (thread.last === undefined) thread.first = event;
    else thread.last.next = event;
    thread.last = event;
    thread.lastMs = event.timestampMs;
    if (++thread.count > MAX_EVENTS_IN_ONE) this.leave(thread.first!);
  }

  /** Takes an event out of its correlation. */
  private leave(event: BusEvent): void {
    const thread = event.thread as Thread | undefined;
    if (thread === undefined) return;
    if (event.prior === undefined) thread.first = event.next;
    else event.prior.next = event.next;
    if (event.next === undefined) thread.last = event.prior;
    else event.next.prior = event.prior;
    event.prior = event.next = event.thread = undefined;
    thread.count--;
  }

  private threadOf(event: BusEvent, correlation: string): Thread {
    const known = this.threads.get(correlation);
    if (known !== undefined) return known;
    if (this.threads.size >= MAX_CORRELATIONS) this.makeRoom(event.timestampMs);
    const parent = event.parentId === undefined ? undefined : this.byId(event.parentId);
    const parentThread = parent?.thread as Thread | undefined;
    const parentId = parent?.correlationId;
    const isChild = parentId !== undefined && parentId !== correlation;
    const rootId = isChild ? (parentThread?.rootId ?? parentId) : correlation;
    const thread = new Thread(correlation, isChild ? parentId : undefined, rootId, event.timestampMs);
    this.threads.set(correlation, thread);
    // The event whose id the others took for their correlation is its first.
    const beginning = this.byId(correlation);
    if (beginning !== undefined && beginning !== event && beginning.thread === undefined)
      this.append(thread, beginning);
    return thread;
  }

  /** Forgets the correlations that ended an hour ago, and the oldest one in any case. */
  private makeRoom(nowMs: number): void {
    let isOldest = true;
    for (const thread of this.threads.values()) {
      if (!isOldest && nowMs - thread.lastMs <= MAX_AGE_MS) return;
      isOldest = false;
      this.threads.delete(thread.id);
      for (let event = thread.first; event !== undefined; ) {
        const { next } = event;
        event.prior = event.next = event.thread = undefined;
        event = next;
      }
      if (this.current === thread) this.current = undefined;
    }
  }

  private forgetOldest(): void {
    const event = this.ring[this.oldest]!;
    this.ring[this.oldest] = undefined;
    this.oldest = (this.oldest + 1) % this.capacity;
    this.count--;
    this.bytes -= event.weight;
    this.leave(event);
  }

  /** An event that is still remembered. */
  byId(id: string): BusEvent | undefined {
    const sequence = this.ids.sequenceOf(id);
    if (sequence === undefined || this.count === 0) return undefined;
    // Numbers grow along the ring, with gaps where an event was not kept.
    let from = 0;
    let to = this.count - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const event = this.ring[(this.oldest + middle) % this.capacity]!;
      if (event.sequence === sequence) return event.id === id ? event : undefined;
      if (event.sequence < sequence) from = middle + 1;
      else to = middle - 1;
    }
    return undefined;
  }

  /** Oldest first. @throws SpellError invalid_argument */
  query({
    pattern = "*",
    sinceMs,
    untilMs,
    correlationId,
    limit = DEFAULT_QUERY_LIMIT,
  }: EventQuery): BusEvent[] {
    const compiled = compilePattern(pattern);
    const found: BusEvent[] = [];
    for (let i = this.count - 1; i >= 0 && found.length < limit; i--) {
      const event = this.ring[(this.oldest + i) % this.capacity]!;
      const fits =
        matchesPattern(compiled, event.type) &&
        (sinceMs === undefined || event.timestampMs >= sinceMs) &&
        (untilMs === undefined || event.timestampMs <= untilMs) &&
        (correlationId === undefined || event.correlationId === correlationId);
      if (fits) found.push(event);
    }
    return found.reverse();
  }

  timeline(correlationId: string): Timeline | undefined {
    const thread = this.threads.get(correlationId);
    const events: BusEvent[] = [];
    for (let event = thread?.first; event !== undefined; event = event.next) events.push(event);
    const beginning = events.length === 0 ? this.byId(correlationId) : undefined;
    if (beginning !== undefined) events.push(beginning);
    if (events.length === 0) return undefined;
    const causes = new Map<string, BusEvent>();
    for (const { parentId } of events) {
      const cause = parentId === undefined ? undefined : this.byId(parentId);
      if (cause !== undefined) causes.set(cause.id, cause);
    }
    return {
      correlationId,
      parentId: thread?.parentId,
      rootId: thread?.rootId ?? correlationId,
      createdAtMs: thread?.createdAtMs ?? events[0]!.timestampMs,
      tags: [...new Set(events.flatMap((event) => event.metadata.tags))].sort(),
      events,
      links: linksOf(events, causes),
    };
  }
}
