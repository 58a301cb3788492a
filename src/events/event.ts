/** An event on the bus: what is seldom asked for is made when it is. */
import { nowMs, randomHex } from "../core/clock.ts";
import type { EventInput, EventOrigin, SpellEvent } from "./service.ts";

const NO_TAGS: readonly string[] = [];
/** Looks at so many members of a payload; what is beyond counts like the ones seen. */
const MAX_WEIGHED = 64;

/** The ids of one process: version 8 UUIDs of a random part and the event's number. */
export class EventIds {
  private readonly prefix: string;

  constructor() {
    const random = randomHex(10);
    this.prefix = `${random.slice(0, 8)}-${random.slice(8, 12)}-8${random.slice(12, 15)}-a${random.slice(15, 18)}-`;
  }

  of(sequence: number): string {
    return this.prefix + sequence.toString(16).padStart(12, "0");
  }

  /** The number of an event of this process; undefined for another's. */
  sequenceOf(id: string): number | undefined {
    if (id.length !== 36 || !id.startsWith(this.prefix)) return undefined;
    return Number.parseInt(id.slice(this.prefix.length), 16);
  }
}

/** What an event brings that was published elsewhere or earlier. */
export interface Provenance {
  id: string;
  origin: EventOrigin;
  timestampMs: number;
}

export class BusEvent implements SpellEvent {
  readonly type: string;
  readonly data: unknown;
  readonly language: string;
  readonly timestampMs: number;
  readonly parentId: string | undefined;
  readonly origin: EventOrigin;
  readonly priority: number;
  readonly ttlSeconds: number | undefined;
  readonly source: string | undefined;
  /** Undefined: the event begins its own correlation. */
  readonly correlation: string | undefined;

  /** Its neighbours among the events that are remembered of its correlation. */
  prior: BusEvent | undefined = undefined;
  next: BusEvent | undefined = undefined;
  thread: object | undefined = undefined;

  private ownId: string | undefined;
  private ownWeight = -1;
  private ownMetadata: SpellEvent["metadata"] | undefined = undefined;
  private readonly target: string | undefined;
  private readonly tags: readonly string[];

  constructor(
    input: EventInput,
    correlation: string | undefined,
    readonly sequence: number,
    private readonly ids: EventIds,
    provenance?: Provenance,
  ) {
    this.type = input.type;
    this.data = input.data ?? null;
    this.language = input.language ?? "native";
    this.correlation = correlation;
    this.parentId = input.parentId;
    this.source = input.source;
    this.target = input.target;
    this.tags = input.tags ?? NO_TAGS;
    this.priority = input.priority ?? 0;
    this.ttlSeconds = input.ttlSeconds;
    this.timestampMs = provenance === undefined ? nowMs() : provenance.timestampMs;
    this.origin = provenance === undefined ? "local" : provenance.origin;
    this.ownId = provenance?.id;
  }

  get id(): string {
    this.ownId ??= this.ids.of(this.sequence);
    return this.ownId;
  }

  get correlationId(): string {
    return this.correlation ?? this.id;
  }

  get metadata(): SpellEvent["metadata"] {
    this.ownMetadata ??= {
      correlationId: this.correlationId,
      source: this.source,
      target: this.target,
      tags: this.tags,
      priority: this.priority,
      ttlSeconds: this.ttlSeconds,
    };
    return this.ownMetadata;
  }

  /** An event that is delivered once more does not expire: it is asked for. */
  isExpired(nowMs: number): boolean {
    const { ttlSeconds } = this;
    return (
      ttlSeconds !== undefined && this.origin !== "replay" && nowMs - this.timestampMs > ttlSeconds * 1000
    );
  }

  /** About how many bytes it takes in memory. */
  get weight(): number {
    if (this.ownWeight < 0) this.ownWeight = 200 + weigh(this.data, 0);
    return this.ownWeight;
  }
}

function weigh(value: unknown, depth: number): number {
  if (typeof value === "string") return 16 + value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (value instanceof Uint8Array) return 64 + value.length;
  if (depth > 8) return 64;
  let bytes = 32;
  let seen = 0;
  if (Array.isArray(value)) {
    for (; seen < value.length && seen < MAX_WEIGHED; seen++) bytes += weigh(value[seen], depth + 1);
    return seen < value.length ? (bytes * value.length) / seen : bytes;
  }
  for (const key in value) {
    if (seen++ === MAX_WEIGHED) return (bytes * Object.keys(value).length) / MAX_WEIGHED;
    bytes += 16 + weigh((value as Record<string, unknown>)[key], depth + 1);
  }
  return bytes;
}
