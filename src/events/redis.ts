/** One bus on several machines: events go to a Redis channel and come from it. What Redis loses while it is away is counted. */
import { RedisClient } from "bun";
import { messageOf, SpellError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { eventDocument } from "./document.ts";
import type { BusEvent, Provenance } from "./event.ts";
import { BatchOutlet, type BatchSettings } from "./outlet.ts";
import type { EventInput, OutletStats } from "./service.ts";

export interface RedisSettings extends BatchSettings {
  url: string;
  channel: string;
  /** An event that another machine has published. */
  onEvent: (input: EventInput, provenance: Provenance) => void;
}

const CONNECT_MS = 5000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
/** At the end, and for `flush`, a server that is away is waited for so long. */
const PATIENCE_MS = 2000;

interface Connection {
  publisher: RedisClient;
  subscriber: RedisClient;
}

export class RedisLink extends BatchOutlet {
  /** Tells our own messages from others'. */
  private readonly origin = crypto.randomUUID();
  private connection: Connection | undefined;
  private connecting = Promise.withResolvers<void>();
  private readonly closing = new AbortController();
  private received = 0;
  private unreadable = 0;
  /** Lost connections and failed attempts. */
  private losses = 0;
  private isAway = false;

  constructor(private readonly redis: RedisSettings) {
    super(redis);
  }

  /** Keeps connected until it is closed. Resolves after the first attempt, whether it worked or not. */
  async start(): Promise<void> {
    if (!(await this.attempt())) void this.keepTrying();
  }

  private async attempt(): Promise<boolean> {
    const options = { autoReconnect: false, enableOfflineQueue: false, connectionTimeout: CONNECT_MS };
    const publisher = new RedisClient(this.redis.url, options);
    const subscriber = new RedisClient(this.redis.url, options);
    try {
      await Promise.all([publisher.connect(), subscriber.connect()]);
      await subscriber.subscribe(this.redis.channel, (message) => this.hear(message));
      if (this.closing.signal.aborted) throw ended();
    } catch (error) {
      publisher.close();
      subscriber.close();
      if (!this.closing.signal.aborted) this.away("Redis cannot be reached; it is tried again", error);
      return false;
    }
    const connection = { publisher, subscriber };
    publisher.onclose = subscriber.onclose = () => this.lost(connection);
    this.connection = connection;
    this.isAway = false;
    this.connecting.resolve();
    this.log.info("event", "the bus is shared through Redis", { channel: this.redis.channel });
    return true;
  }

  private async keepTrying(): Promise<void> {
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      await sleepOrAbort(waitMs * (0.75 + Math.random() / 2), this.closing.signal);
      if (this.closing.signal.aborted || (await this.attempt())) return;
    }
  }

  private lost(connection: Connection): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    this.connecting = Promise.withResolvers();
    connection.publisher.close();
    connection.subscriber.close();
    if (this.closing.signal.aborted) return;
    this.away("the connection to Redis is lost; it is tried again");
    void this.keepTrying();
  }

  /** Counted each time, and logged once until it is back. */
  private away(message: string, error?: unknown): void {
    this.losses++;
    if (this.isAway) return;
    this.isAway = true;
    const reason = error === undefined ? {} : { reason: messageOf(error) };
    this.log.warn("event", message, { channel: this.redis.channel, ...reason });
  }

  protected async hand(batch: readonly BusEvent[]): Promise<void> {
    const message = JSON.stringify({ origin: this.origin, events: batch.map(eventDocument) });
    for (;;) {
      if (this.connection === undefined) await orAbort(this.connecting.promise, this.closing.signal);
      const { connection } = this;
      if (connection === undefined) continue;
      try {
        await connection.publisher.publish(this.redis.channel, message);
        return;
      } catch (error) {
        // A connection that still stands has refused the message itself.
        if (this.connection === connection && connection.publisher.connected) throw error;
        this.lost(connection);
      }
    }
  }

  private hear(message: string): void {
    try {
      const { origin, events } = parseJson(message) as { origin: string; events: Document[] };
      if (origin === this.origin) return;
      for (const document of events) {
        const { input, provenance } = read(document);
        this.received++;
        this.redis.onEvent(input, provenance);
      }
    } catch (error) {
      this.unreadable++;
      if (this.unreadable === 1)
        this.log.warn("event", "a message on the Redis channel is no event", {
          channel: this.redis.channel,
          reason: messageOf(error),
        });
    }
  }

  override async flush(): Promise<void> {
    await Promise.race([super.flush(), Bun.sleep(this.connection === undefined ? PATIENCE_MS : CONNECT_MS)]);
  }

  override async close(): Promise<void> {
    await this.flush();
    this.closing.abort(ended());
    await super.close();
    this.connection?.publisher.close();
    this.connection?.subscriber.close();
    this.connection = undefined;
  }

  override stats(): OutletStats {
    const counts = super.stats();
    return {
      ...counts,
      failures: counts.failures + this.losses,
      received: this.received,
      connected: this.connection !== undefined,
    };
  }
}

/** What `eventDocument` wrote, as JSON gives it. */
interface Document {
  id: string;
  event_type: string;
  data: unknown;
  language: string;
  timestamp: string;
  metadata: {
    correlation_id: string;
    parent_id: string | null;
    source: string | null;
    target: string | null;
    tags: string[];
    priority: number;
    ttl: number | null;
  };
}

function read(document: Document): { input: EventInput; provenance: Provenance } {
  const { id, event_type: type, data, language, metadata } = document;
  const timestampMs = Date.parse(document.timestamp);
  if (typeof id !== "string" || typeof type !== "string" || Number.isNaN(timestampMs))
    throw new SpellError("invalid_argument", "Cannot read an event: it has no id, type or timestamp");
  return {
    input: {
      type,
      data,
      language: String(language),
      correlationId: String(metadata.correlation_id),
      parentId: metadata.parent_id ?? undefined,
      source: metadata.source ?? undefined,
      target: metadata.target ?? undefined,
      tags: Array.isArray(metadata.tags) ? metadata.tags.map(String) : [],
      priority: Number(metadata.priority) || 0,
      ttlSeconds: metadata.ttl ?? undefined,
    },
    provenance: { id, timestampMs, origin: "remote" },
  };
}

function ended(): SpellError {
  return new SpellError("interrupted", "Cannot send events to Redis: the bus has ended");
}

function sleepOrAbort(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
    if (signal.aborted) finish();
  });
}

/** @throws the signal's reason */
async function orAbort(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([wait, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
