/** Events in the database, so that they outlive the process. */
import type { Database } from "bun:sqlite";
import { messageOf, SpellError } from "../core/errors.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoredEvent, StoredEvents } from "./bus.ts";
import { DEFAULT_QUERY_LIMIT } from "./correlation.ts";
import { payloadText, readPayload } from "./document.ts";
import type { BusEvent } from "./event.ts";
import { BatchOutlet, type BatchSettings } from "./outlet.ts";
import { compilePattern, matchesPattern, type Pattern } from "./pattern.ts";
import type { EventQuery } from "./service.ts";

export interface Retention {
  /** 0: events are never deleted for their age. */
  days: number;
  /** 0: no limit. */
  maxEvents: number;
}

/** Old events are looked for after so many new ones. */
const CLEAN_EVERY = 10_000;
const DAY_MS = 86_400_000;

interface Row {
  event_id: string;
  type: string;
  time_ms: number;
  language: string;
  source: string | null;
  correlation_id: string;
  parent_id: string | null;
  priority: number;
  ttl_seconds: number | null;
  payload: string;
}

export class EventStore extends BatchOutlet implements StoredEvents {
  private sinceCleaning = CLEAN_EVERY;
  /** Events that could not be stored, since `flush` told of them last. */
  private lost: { events: number; reason: unknown } | undefined;

  constructor(
    settings: BatchSettings,
    private readonly storage: Storage,
    private readonly retention: Retention,
  ) {
    super(settings);
  }

  /** Stored when it resolves: that survives the end of the process at any moment. */
  protected async hand(batch: readonly BusEvent[]): Promise<void> {
    const rows = batch.map(rowOf);
    await this.storage.write((db) => {
      const insert = db.query(
        "INSERT OR IGNORE INTO event (event_id, type, time_ms, language, source, correlation_id, parent_id, priority, " +
          "ttl_seconds, payload) VALUES ($event_id, $type, $time_ms, $language, $source, $correlation_id, $parent_id, " +
          "$priority, $ttl_seconds, $payload)",
      );
      for (const row of rows) insert.run({ ...row });
    });
    this.sinceCleaning += batch.length;
    if (this.sinceCleaning < CLEAN_EVERY) return;
    this.sinceCleaning = 0;
    await this.clean();
  }

  private async clean(): Promise<void> {
    const { days, maxEvents } = this.retention;
    await this.storage.write((db) => {
      if (days > 0) db.query("DELETE FROM event WHERE time_ms < ?").run(Date.now() - days * DAY_MS);
      if (maxEvents > 0)
        db.query("DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?").run(maxEvents);
    });
  }

  protected override failed(reason: unknown, events: number): void {
    super.failed(reason, events);
    this.lost = { events: (this.lost?.events ?? 0) + events, reason };
  }

  /** @throws SpellError io for events that were given up since the last call */
  override async flush(): Promise<void> {
    await super.flush();
    const { lost } = this;
    this.lost = undefined;
    if (lost === undefined) return;
    throw new SpellError("io", `Cannot store events: ${lost.events} are lost: ${messageOf(lost.reason)}`, {
      data: { events: lost.events },
      hint: "Publish them again when the cause is gone",
      cause: lost.reason,
    });
  }

  override async close(): Promise<void> {
    await super.close().catch(() => undefined); // the log has told of what was lost
  }

  async query(query: EventQuery): Promise<StoredEvent[]> {
    await super.flush();
    const pattern = compilePattern(query.pattern ?? "*");
    const { limit = DEFAULT_QUERY_LIMIT } = query;
    return this.storage.read((db) => {
      const found: StoredEvent[] = [];
      for (const row of newestFirst(db, query, pattern)) {
        if (found.length >= limit) break;
        if (matchesPattern(pattern, row.type)) found.push(eventOf(row));
      }
      return found.reverse();
    });
  }
}

function newestFirst(db: Database, query: EventQuery, pattern: Pattern): Iterable<Row> {
  const conditions = ["1"];
  const values: Record<string, string | number> = {};
  const where = (condition: string, name: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values[name] = value;
  };
  where("time_ms >= $since", "since", query.sinceMs);
  where("time_ms <= $until", "until", query.untilMs);
  where("correlation_id = $correlation", "correlation", query.correlationId);
  if (pattern.kind === "exact") where("type = $type", "type", pattern.text);
  const sql = `SELECT * FROM event WHERE ${conditions.join(" AND ")} ORDER BY time_ms DESC, number DESC`;
  return db.query<Row, typeof values>(sql).iterate(values);
}

function rowOf(event: BusEvent): Row {
  return {
    event_id: event.id,
    type: event.type,
    time_ms: event.timestampMs,
    language: event.language,
    source: event.source ?? null,
    correlation_id: event.correlationId,
    parent_id: event.parentId ?? null,
    priority: event.priority,
    ttl_seconds: event.ttlSeconds ?? null,
    payload: payloadText(event),
  };
}

function eventOf(row: Row): StoredEvent {
  const { event_id: id, time_ms: timestampMs, type, language, priority } = row;
  return {
    id,
    timestampMs,
    input: {
      type,
      language,
      priority,
      source: row.source ?? undefined,
      correlationId: row.correlation_id,
      parentId: row.parent_id ?? undefined,
      ttlSeconds: row.ttl_seconds ?? undefined,
      ...readPayload(row.payload),
    },
  };
}
