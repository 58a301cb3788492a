/** State: one row a record; `version` counts all writes (`src/state/backends/sqlite.ts`). */
export const STATE = `
CREATE TABLE state (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  value BLOB NOT NULL,
  version INTEGER NOT NULL,
  timestamp_ms INTEGER NOT NULL,
  schema_version TEXT NOT NULL
);
CREATE TABLE state_version (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
INSERT INTO state_version VALUES (1, 0);
`;
