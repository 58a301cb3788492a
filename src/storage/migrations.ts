/**
 * The steps that made the database what it is, in order. Append only: a released step is never changed, removed or moved.
 * A step's name is recorded in the database with it.
 */
export interface Migration {
  /** `0001_state`, and so on: the number is the place in the list. */
  name: string;
  sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    name: "0001_events",
    sql: `
      CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        type TEXT NOT NULL,
        time_ms INTEGER NOT NULL,
        language TEXT NOT NULL,
        source TEXT,
        correlation_id TEXT NOT NULL,
        parent_id TEXT,
        priority INTEGER NOT NULL,
        ttl_seconds REAL,
        payload TEXT NOT NULL
      );
      CREATE INDEX event_by_time ON event (time_ms);
      CREATE INDEX event_by_type ON event (type, time_ms);
      CREATE INDEX event_by_correlation ON event (correlation_id, time_ms);
    `,
  },
];
