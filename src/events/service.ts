/** The event bus as services and globals see it. Event names: spec/kernel.md section 18.5. */

export interface EventInput {
  type: string;
  /** Anything JSON can say; given to subscribers as it is. */
  data?: unknown;
  /** Who speaks; scripts say `lua`. Default: `native`. */
  language?: string;
  /** Default: that of the request this code works for. */
  correlationId?: string;
  /** The component that speaks, for filters: `state`, `hook_executor`, a tool's name. */
  source?: string;
  target?: string;
  tags?: readonly string[];
  /** Smaller is more urgent. Default 0. */
  priority?: number;
  ttlSeconds?: number;
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
  readonly metadata: {
    readonly correlationId: string;
    readonly source: string | undefined;
    readonly target: string | undefined;
    readonly tags: readonly string[];
    readonly priority: number;
    readonly ttlSeconds: number | undefined;
  };
}

export interface Subscription {
  readonly id: string;
  readonly pattern: string;
  readonly language: string;
}

export interface EventService {
  /** Hands an event to every matching subscriber. Cheap where nobody listens. */
  publish(event: EventInput): void;
  /** Calls `onEvent` for every matching event from now on, in the order of publishing. */
  listen(pattern: string, onEvent: (event: SpellEvent) => void): Disposable;
}
