/** Sessions, their state values and checkpoints. Times are milliseconds since the epoch, tags and metadata JSON. */
export const SESSIONS = `
CREATE TABLE session (
  id TEXT PRIMARY KEY,
  name TEXT,
  description TEXT,
  status TEXT NOT NULL,
  created_by TEXT,
  parent_session_id TEXT,
  correlation_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  saved_at INTEGER,
  tags TEXT NOT NULL,
  custom_metadata TEXT NOT NULL,
  operation_count INTEGER NOT NULL DEFAULT 0,
  artifact_count INTEGER NOT NULL DEFAULT 0,
  total_artifact_size INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX session_by_status ON session (status, updated_at);
CREATE TABLE session_value (
  session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (session_id, key)
) WITHOUT ROWID;
CREATE TABLE session_checkpoint (
  id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  name TEXT,
  created_at INTEGER NOT NULL,
  snapshot TEXT NOT NULL
);
CREATE INDEX session_checkpoint_by_session ON session_checkpoint (session_id, created_at);
`;

/**
 * Artifacts and their contents. A content is kept once, under its hash, as long as an artifact names it; it stands in
 * `data`, or in a file where `data` is NULL. Counts and sums follow by triggers, so that they are always right.
 */
export const ARTIFACTS = `
CREATE TABLE artifact_content (
  hash TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  stored_size INTEGER NOT NULL,
  is_compressed INTEGER NOT NULL,
  data BLOB
);
CREATE TABLE artifact (
  id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  content_hash TEXT NOT NULL REFERENCES artifact_content (hash),
  previous_hash TEXT,
  artifact_type TEXT NOT NULL,
  mime_type TEXT,
  description TEXT,
  size INTEGER NOT NULL,
  tags TEXT NOT NULL,
  custom TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT,
  parent_artifact TEXT,
  UNIQUE (session_id, name, version)
);
CREATE INDEX artifact_by_content ON artifact (content_hash);
CREATE INDEX artifact_by_time ON artifact (created_at);
CREATE TABLE artifact_grant (
  artifact_id INTEGER NOT NULL REFERENCES artifact (id) ON DELETE CASCADE,
  session_id TEXT NOT NULL,
  access TEXT NOT NULL,
  PRIMARY KEY (artifact_id, session_id)
) WITHOUT ROWID;
CREATE TABLE artifact_total (one INTEGER PRIMARY KEY CHECK (one = 1), stored_size INTEGER NOT NULL);
INSERT INTO artifact_total VALUES (1, 0);
CREATE TRIGGER artifact_content_added AFTER INSERT ON artifact_content BEGIN
  UPDATE artifact_total SET stored_size = stored_size + new.stored_size;
END;
CREATE TRIGGER artifact_content_removed AFTER DELETE ON artifact_content BEGIN
  UPDATE artifact_total SET stored_size = stored_size - old.stored_size;
END;
CREATE TRIGGER artifact_content_changed AFTER UPDATE OF stored_size ON artifact_content BEGIN
  UPDATE artifact_total SET stored_size = stored_size - old.stored_size + new.stored_size;
END;
CREATE TRIGGER artifact_added AFTER INSERT ON artifact BEGIN
  UPDATE session SET artifact_count = artifact_count + 1, total_artifact_size = total_artifact_size + new.size
    WHERE id = new.session_id;
END;
CREATE TRIGGER artifact_removed AFTER DELETE ON artifact BEGIN
  UPDATE session SET artifact_count = artifact_count - 1, total_artifact_size = total_artifact_size - old.size
    WHERE id = old.session_id;
  DELETE FROM artifact_content WHERE hash = old.content_hash
    AND NOT EXISTS (SELECT 1 FROM artifact WHERE content_hash = old.content_hash);
END;
`;

/** What a session did, step by step, with inputs and outputs as JSON. */
export const REPLAY = `
CREATE TABLE replay_step (
  session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  step INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  input TEXT NOT NULL,
  output TEXT,
  error TEXT,
  started_at INTEGER NOT NULL,
  duration_ms REAL NOT NULL,
  correlation_id TEXT NOT NULL,
  PRIMARY KEY (session_id, step)
) WITHOUT ROWID;
`;

/** Id of the step within which a step ran. */
export const REPLAY_WITHIN = "ALTER TABLE replay_step ADD COLUMN within TEXT;";
