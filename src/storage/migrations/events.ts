/** Events that are kept, in the order of publishing (`src/events/store.ts`). */
export const EVENTS = `
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
`;
