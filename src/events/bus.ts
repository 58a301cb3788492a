/** The event bus of one kernel: numbers events, remembers them and hands them to those who want them. */
import { currentCorrelation } from "../core/correlation.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { Burst } from "./burst.ts";
import { EventMemory } from "./correlation.ts";
import { BusEvent, EventIds, type Provenance } from "./event.ts";
import { EventFilter } from "./filter.ts";
import type { Outlet } from "./outlet.ts";
import { QueuedSubscription, type QueueEvents } from "./queued-subscription.ts";
import { TokenBucket } from "./rate.ts";
import { Routes } from "./routes.ts";
import type {
  EventInput,
  EventQuery,
  EventService,
  EventStats,
  PublishOutcome,
  SpellEvent,
  SubscribeOptions,
  Subscription,
  Timeline,
} from "./service.ts";
import type { BusSettings } from "./settings.ts";

const MAX_SUBSCRIPTIONS = 1000;
/** Longest wait for room in a queue. */
const PUBLISH_LIMIT_MS = 30_000;
/** Events that listeners publish while they are told of one; more in one go means that they go in circles. */
const MAX_NESTED = 100_000;
const MAX_REPLAYED = 10_000;

export interface StoredEvents {
  query(query: EventQuery): Promise<StoredEvent[]>;
}

export interface StoredEvent {
  input: EventInput;
  id: string;
  timestampMs: number;
}

interface Receiver {
  offer(event: BusEvent): boolean;
}

export class EventBus implements EventService {
  private readonly routes = new Routes<Receiver>();
  private readonly queues = new Map<string, QueuedSubscription>();
  private readonly ids = new EventIds();
  private readonly memory: EventMemory;
  private readonly filter: EventFilter;
  private readonly bucket: TokenBucket | undefined;
  private readonly outlets: Outlet[] = [];
  private readonly counts = {
    processed: 0,
    filtered: 0,
    rateLimited: 0,
    dropped: 0,
    rejected: 0,
    expired: 0,
    handlerErrors: 0,
  };
  private readonly limiting = new Burst();
  private readonly failing = new Burst();
  private readonly circling = new Burst();
  /** What listeners publish while they are told of an event: it is delivered after that one. */
  private nested: BusEvent[] | undefined;
  private sequence = 0;
  /** Queues whose policy is to refuse events. */
  private rejecting = 0;
  private store: StoredEvents | undefined;
  private ended: Promise<void> | undefined;

  constructor(
    private readonly settings: BusSettings,
    private readonly log: Log,
  ) {
    this.memory = new EventMemory(settings.historySize, this.ids);
    this.filter = new EventFilter(settings.filter);
    const { maxPerSecond, burst } = settings;
    this.bucket = maxPerSecond === undefined ? undefined : new TokenBucket(maxPerSecond, burst);
  }

  /** To be called before events come. */
  addOutlet(outlet: Outlet): void {
    this.outlets.push(outlet);
  }

  addStore(store: Outlet & StoredEvents): void {
    this.addOutlet(store);
    this.store = store;
  }

  publish(input: EventInput): PublishOutcome {
    if (this.ended !== undefined || !this.filter.passes(input)) {
      this.counts.filtered++;
      return "filtered";
    }
    if (this.bucket !== undefined && !this.bucket.take()) return this.rateLimited();
    if (this.rejecting > 0 && this.isRejected(input.type)) {
      this.counts.rejected++;
      return "rejected";
    }
    this.counts.processed++;
    const sequence = ++this.sequence;
    if (
      this.settings.historySize === 0 &&
      this.outlets.length === 0 &&
      this.routes.find(input.type).length === 0
    )
      return "accepted";
    const correlation = input.correlationId ?? currentCorrelation();
    return this.accept(new BusEvent(input, correlation, sequence, this.ids));
  }

  /** An event of another machine. */
  receiveRemote(input: EventInput, provenance: Provenance): void {
    if (!this.filter.passes(input)) {
      this.counts.filtered++;
      return;
    }
    this.counts.processed++;
    this.accept(new BusEvent(input, input.correlationId, ++this.sequence, this.ids, provenance));
  }

  private accept(event: BusEvent): PublishOutcome {
    this.memory.add(event);
    for (const outlet of this.outlets) outlet.take(event);
    return this.deliver(event) ? "accepted" : "dropped";
  }

  private rateLimited(): PublishOutcome {
    this.counts.rateLimited++;
    if (this.limiting.begins())
      this.log.warn("event", "events are dropped: more come than events.max_events_per_second allows", {
        max_events_per_second: this.settings.maxPerSecond,
        dropped: this.counts.rateLimited,
      });
    return "rate_limited";
  }

  private isRejected(type: string): boolean {
    let isRejected = false;
    for (const receiver of this.routes.find(type)) {
      if (!(receiver instanceof QueuedSubscription)) continue;
      if (receiver.settings.overflow !== "Reject" || !receiver.isFull) continue;
      receiver.refused();
      isRejected = true;
    }
    return isRejected;
  }

  /** @returns whether every queue kept it, and kept what it had */
  private deliver(event: BusEvent, only?: Receiver): boolean {
    const receivers = only === undefined ? this.routes.find(event.type) : [only];
    if (receivers.length === 0) return true;
    if (this.nested !== undefined && only === undefined) return this.postpone(event, this.nested);
    const nested: BusEvent[] = [];
    if (only === undefined) this.nested = nested;
    let isKept = true;
    for (const receiver of receivers) if (!receiver.offer(event)) isKept = false;
    for (let i = 0; i < nested.length; i++)
      for (const receiver of this.routes.find(nested[i]!.type)) receiver.offer(nested[i]!);
    if (only === undefined) this.nested = undefined;
    return isKept;
  }

  private postpone(event: BusEvent, nested: BusEvent[]): boolean {
    if (nested.length < MAX_NESTED) {
      nested.push(event);
      return true;
    }
    this.counts.dropped++;
    if (this.circling.begins())
      this.log.warn("event", "events are dropped: listeners publish what they listen to", {
        type: event.type,
      });
    return false;
  }

  async publishWhenRoom(
    input: EventInput,
    except?: AbortSignal,
    signal?: AbortSignal,
  ): Promise<PublishOutcome> {
    const deadlineMs = performance.now() + PUBLISH_LIMIT_MS;
    for (;;) {
      const full = this.routes
        .find(input.type)
        .filter((r): r is QueuedSubscription => r instanceof QueuedSubscription)
        .find(({ settings, isFull }) => isFull && settings.overflow === "Block");
      if (full === undefined) return this.publish(input);
      if (except !== undefined && full.settings.owner === except && !full.settings.isServed)
        throw ownQueue(full);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw noRoom(full);
      signal?.throwIfAborted();
      await roomOrAbort(full, leftMs, signal);
    }
  }

  listen(pattern: string, onEvent: (event: SpellEvent) => void): Disposable {
    const listener: Receiver = {
      offer: (event) => {
        try {
          onEvent(event);
        } catch (error) {
          this.handlerFailed(pattern, error);
        }
        return true;
      },
    };
    this.routes.add(pattern, listener);
    return { [Symbol.dispose]: () => this.routes.delete(listener) };
  }

  handlerFailed(pattern: string, error: unknown): void {
    this.counts.handlerErrors++;
    if (this.failing.begins())
      this.log.warn("event", "a listener failed", { pattern, reason: messageOf(error) });
  }

  subscribe(pattern: string, options: SubscribeOptions = {}): QueuedSubscription {
    const { owner, language = "native", isServed = false } = options;
    if (this.queues.size >= MAX_SUBSCRIPTIONS)
      throw new SpellError(
        "limit",
        `Cannot subscribe to events: at most ${MAX_SUBSCRIPTIONS} subscriptions`,
        {
          data: { limit: "subscriptions" },
          hint: "End those that are not needed: Event.unsubscribe(id)",
        },
      );
    const { bufferSize = this.settings.bufferSize, overflow = this.settings.overflow } = options;
    const { highWater, lowWater } = this.settings;
    const settings = { pattern, language, owner, bufferSize, overflow, highWater, lowWater, isServed };
    const subscription = new QueuedSubscription(settings, this.queueEvents);
    this.routes.add(pattern, subscription);
    this.queues.set(subscription.id, subscription);
    if (overflow === "Reject") this.rejecting++;
    if (owner?.aborted || this.ended !== undefined) subscription.end();
    return subscription;
  }

  private readonly queueEvents: QueueEvents = {
    behind: ({ id, pattern, queued, dropped, settings }, isLosing) =>
      this.log.write(
        isLosing ? "warn" : "info",
        "event",
        isLosing ? "a subscription loses events: its queue is full" : "a subscription falls behind",
        { subscription: id, pattern, queued, dropped, policy: settings.overflow },
      ),
    dropped: () => void this.counts.dropped++,
    expired: () => void this.counts.expired++,
    ended: (subscription) => {
      this.routes.delete(subscription);
      this.queues.delete(subscription.id);
      if (subscription.settings.overflow === "Reject") this.rejecting--;
    },
  };

  subscription(id: string): QueuedSubscription | undefined {
    return this.queues.get(id);
  }

  subscriptions(): QueuedSubscription[] {
    return [...this.queues.values()];
  }

  async history(query: EventQuery = {}): Promise<SpellEvent[]> {
    return this.store === undefined ? this.memory.query(query) : this.stored(this.store, query);
  }

  private async stored(store: StoredEvents, query: EventQuery): Promise<BusEvent[]> {
    return (await store.query(query)).map((event) => this.past(event));
  }

  /** An event that is delivered, or shown, once more. Its number is that of this process where it is known. */
  private past({ input, id, timestampMs }: StoredEvent): BusEvent {
    const sequence = this.ids.sequenceOf(id) ?? 0;
    return new BusEvent(input, input.correlationId, sequence, this.ids, {
      id,
      timestampMs,
      origin: "replay",
    });
  }

  async replay(query: EventQuery = {}, to?: Subscription): Promise<number> {
    const wanted = { ...query, limit: query.limit ?? MAX_REPLAYED };
    const events =
      this.store === undefined
        ? this.memory
            .query(wanted)
            .map((event) =>
              this.past({ input: asInput(event), id: event.id, timestampMs: event.timestampMs }),
            )
        : await this.stored(this.store, wanted);
    const only = to === undefined ? undefined : this.queues.get(to.id);
    if (to !== undefined && only === undefined) return 0;
    for (const event of events) this.deliver(event, only);
    return events.length;
  }

  publishAgain(input: EventInput, timestampMs: number): PublishOutcome {
    if (this.ended !== undefined || !this.filter.passes(input)) return "filtered";
    const event = this.past({ input, id: crypto.randomUUID(), timestampMs });
    return this.deliver(event) ? "accepted" : "dropped";
  }

  timeline(correlationId: string): Timeline | undefined {
    return this.memory.timeline(correlationId);
  }

  stats(): EventStats {
    const outlets = Object.fromEntries(this.outlets.map((outlet) => [outlet.name, outlet.stats()]));
    let queued = 0;
    for (const subscription of this.queues.values()) queued += subscription.queued;
    let { dropped } = this.counts;
    for (const outlet of Object.values(outlets)) dropped += outlet.dropped;
    const { size: remembered, correlations } = this.memory;
    return { ...this.counts, dropped, queued, remembered, correlations, outlets };
  }

  async flush(): Promise<void> {
    const ends = await Promise.allSettled(this.outlets.map((outlet) => outlet.flush()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  dispose(): Promise<void> {
    this.ended ??= this.end();
    return this.ended;
  }

  private async end(): Promise<void> {
    for (const subscription of this.subscriptions()) subscription.end();
    for (const outlet of this.outlets) await outlet.close();
  }
}

function asInput(event: BusEvent): EventInput {
  const { type, data, language, parentId } = event;
  return { type, data, language, parentId, ...event.metadata };
}

function ownQueue({ id, pattern }: QueuedSubscription): SpellError {
  return new SpellError("limit", `Cannot publish: the script's own subscription is full: ${pattern}`, {
    data: { limit: "queue", subscription: id },
    hint: "Its policy is to block, and nobody else can empty it: call Event.receive first, or choose another policy",
  });
}

function noRoom({ id, pattern }: QueuedSubscription): SpellError {
  return new SpellError(
    "timeout",
    `Cannot publish: a subscription had no room for ${PUBLISH_LIMIT_MS / 1000} s: ${pattern}`,
    {
      data: { limit: "queue", subscription: id },
      hint: "Its policy is to block: read it faster, enlarge its buffer_size or choose another policy",
    },
  );
}

/** @throws the signal's reason */
async function roomOrAbort(full: QueuedSubscription, limitMs: number, signal?: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const stop = () => over.reject(signal?.reason);
  const timer = setTimeout(over.resolve, limitMs);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([full.room(), over.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
