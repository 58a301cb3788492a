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
    name: "0001_state",
    sql: `
      CREATE TABLE state (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        value BLOB NOT NULL,
        version INTEGER NOT NULL,
        timestamp_ms INTEGER NOT NULL,
        schema_version TEXT NOT NULL
      );
      CREATE TABLE state_version (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), last INTEGER NOT NULL);
      INSERT INTO state_version VALUES (1, 0);`,
  },
];
