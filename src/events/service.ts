/** The event bus as services and globals see it. Event names: spec/kernel.md section 18.5. */

export interface EventInput {
  type: string;
  /** Anything JSON can say; given to subscribers as it is, so it must not be changed afterwards. */
  data?: unknown;
  /** Who speaks; scripts say `lua`. Default: `native`, which is what the `emit_*` switches concern. */
  language?: string;
  /** Default: that of the request this code works for; without one, the event begins a correlation of its own. */
  correlationId?: string | undefined;
  /** The event that caused this one: its id. */
  parentId?: string | undefined;
  /** The component that speaks, for filters: `state`, `hook_executor`, a tool's name. */
  source?: string | undefined;
  target?: string | undefined;
  tags?: readonly string[];
  /** Smaller is more urgent. Default 0. */
  priority?: number;
  ttlSeconds?: number | undefined;
}

/** An event as it stands on the bus (spec/kernel.md section 18.1). */
export interface SpellEvent {
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly language: string;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** Counts the events of this process. */
  readonly sequence: number;
  readonly parentId: string | undefined;
  /** Where it was published: `local`, on another machine, or in the past. */
  readonly origin: EventOrigin;
  readonly metadata: {
    readonly correlationId: string;
    readonly source: string | undefined;
    readonly target: string | undefined;
    readonly tags: readonly string[];
    readonly priority: number;
    readonly ttlSeconds: number | undefined;
  };
}

export type EventOrigin = "local" | "remote" | "replay";

export const OVERFLOW_POLICIES = ["DropOldest", "DropNewest", "Block", "Reject"] as const;
/** What happens to an event for which a subscription's queue has no room. */
export type OverflowPolicy = (typeof OVERFLOW_POLICIES)[number];

/**
 * What became of an event: `filtered` by the configuration, over the limit of events a second, not kept by a full
 * queue (`dropped`), or refused for one (`rejected`).
 */
export type PublishOutcome = "accepted" | "filtered" | "rate_limited" | "dropped" | "rejected";

export interface SubscribeOptions {
  /** Told in lists. Default `native`. */
  language?: string | undefined;
  /** Whose it is: it ends when this is aborted. */
  owner?: AbortSignal | undefined;
  /** Events that may wait. Default: `events.buffer_size`. */
  bufferSize?: number | undefined;
  /** Default: `events.overflow`. */
  overflow?: OverflowPolicy | undefined;
  /** Its owner takes events from it even while the owner itself waits. */
  isServed?: boolean;
}

export interface Received {
  readonly event: SpellEvent;
  /** Events of this subscription that were dropped since the one received before. */
  readonly missed: number;
}

/** A subscription with a queue of its own. */
export interface Subscription {
  readonly id: string;
  readonly pattern: string;
  readonly language: string;
  /** Events that wait. */
  readonly queued: number;
  /** Events dropped since it was made. */
  readonly dropped: number;
  /** Aborted when it has ended. */
  readonly ended: AbortSignal;
  /** The next event if one waits. */
  poll(): Received | undefined;
  /**
   * The next event, the most urgent first; undefined after `timeoutMs` and when the subscription ends.
   * @throws the reason of `signal`
   */
  receive(timeoutMs: number, signal?: AbortSignal): Promise<Received | undefined>;
  /** Idempotent. */
  end(): void;
}

/** Which past events. All given conditions hold. */
export interface EventQuery {
  pattern?: string | undefined;
  /** Milliseconds since the epoch, both inclusive. */
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
  correlationId?: string | undefined;
  /** The newest so many. Default 100. */
  limit?: number | undefined;
}

export const RELATIONSHIPS = [
  "CausedBy",
  "PartOf",
  "RelatedTo",
  "ResponseTo",
  "FollowsFrom",
  "ConcurrentWith",
] as const;
export type Relationship = (typeof RELATIONSHIPS)[number];

export interface EventLink {
  /** Ids of events; `from` is the later one. */
  readonly from: string;
  readonly to: string;
  readonly relationship: Relationship;
  /** From 0.5 to 1; what was said by the publisher is 1. */
  readonly strength: number;
}

/** What is known of a correlation: its events in order and what links them. */
export interface Timeline {
  readonly correlationId: string;
  /** The correlation of the event that caused its first one. */
  readonly parentId: string | undefined;
  /** The first of its parents; itself without one. */
  readonly rootId: string;
  readonly createdAtMs: number;
  readonly tags: readonly string[];
  readonly events: readonly SpellEvent[];
  readonly links: readonly EventLink[];
}

export interface EventStats {
  /** Events that passed the filters and the limit. */
  processed: number;
  filtered: number;
  rateLimited: number;
  /** For a queue that was full, an export, the store or another machine. */
  dropped: number;
  rejected: number;
  expired: number;
  handlerErrors: number;
  /** Events that wait in queues now. */
  queued: number;
  /** Events kept for queries now. */
  remembered: number;
  /** Correlations that are followed now. */
  correlations: number;
  /** By what was configured: `file`, `webhook`, `store`, `redis`, with counts of their own. */
  outlets: Record<string, OutletStats>;
}

export interface OutletStats {
  /** Events handed over. */
  sent: number;
  dropped: number;
  failures: number;
  /** Events that wait to be handed over. */
  waiting: number;
  /** Redis only: events that came from other machines, and whether it is connected now. */
  received?: number;
  connected?: boolean;
}

export interface EventService {
  /**
   * Hands an event to every matching subscriber. Cheap where nobody listens. Never throws and never waits: a full
   * queue whose policy is to block counts as one that drops its oldest event.
   */
  publish(event: EventInput): PublishOutcome;
  /**
   * Like `publish`, but waits for full queues whose policy is to block.
   * @param except a queue of this owner is not waited for: it could never be emptied
   * @throws SpellError limit where a queue of `except` is full, timeout after 30 s; the reason of `signal`
   */
  publishWhenRoom(event: EventInput, except?: AbortSignal, signal?: AbortSignal): Promise<PublishOutcome>;
  /**
   * Calls `onEvent` for every matching event from now on, in the order of publishing, before `publish` returns.
   * What it throws is counted and logged.
   * @throws SpellError invalid_argument for an empty pattern
   */
  listen(pattern: string, onEvent: (event: SpellEvent) => void): Disposable;
  /** @throws SpellError invalid_argument for an empty pattern, limit for too many */
  subscribe(pattern: string, options?: SubscribeOptions): Subscription;
  subscription(id: string): Subscription | undefined;
  /** In the order of their making. */
  subscriptions(): Subscription[];
  /** Past events, oldest first: from the store where there is one, else from memory. */
  history(query?: EventQuery): Promise<SpellEvent[]>;
  /**
   * Delivers past events once more, to one subscription or to all that match. They keep their ids and times, are marked
   * as replayed, and go neither to the store nor to exports or other machines.
   * @returns how many
   */
  replay(query?: EventQuery, to?: Subscription): Promise<number>;
  /**
   * Delivers an event once more to all that match, marked as replayed, as `replay` does.
   * @param timestampMs when it was published
   */
  publishAgain(event: EventInput, timestampMs: number): PublishOutcome;
  /** What memory holds of a correlation. */
  timeline(correlationId: string): Timeline | undefined;
  stats(): EventStats;
  /**
   * Resolves when everything published so far is stored, and written or sent as far as that is possible.
   * @throws SpellError io for events that could not be stored since the last call
   */
  flush(): Promise<void>;
  /** Ends all subscriptions and flushes. Idempotent. */
  dispose(): Promise<void>;
}
