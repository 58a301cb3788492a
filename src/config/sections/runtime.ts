import {
  choice,
  flag,
  integer,
  list,
  NOT_LOWERED,
  NOT_RAISED,
  PATH,
  POSITIVE,
  SECRET,
  section,
  TRUSTED,
  text,
  unset,
} from "../fields.ts";

const Security = section("What scripts may do. Denied unless allowed here.", {
  allow_file_access: flag(
    false,
    "Scripts get `io`, `os.remove` and loading of files outside the script's directory",
    NOT_RAISED,
  ),
  allow_network_access: flag(
    true,
    "Tools and cloud providers may use the network; servers on this machine always may be used",
    NOT_RAISED,
  ),
  allow_process_spawn: flag(
    false,
    "Scripts get `os.execute` and `io.popen`; the process tool runs",
    NOT_RAISED,
  ),
  max_memory_bytes: integer(
    50_000_000,
    "Memory of one script, in bytes; the smaller of this and the engine's wins",
    {
      minimum: 1,
      ...NOT_RAISED,
    },
  ),
  max_execution_time_ms: integer(
    300_000,
    "Time of one script, in milliseconds; the smallest of all limits wins",
    {
      minimum: 1,
      ...NOT_RAISED,
    },
  ),
});

const StatePersistence = section("The State global.", {
  enabled: flag(true, "Offer the State global"),
  backend_type: choice(
    ["memory", "file", "sqlite", "postgres"],
    "sqlite",
    "Where state is kept; file, sled and rocksdb mean sqlite, memory forgets it at the end",
  ),
  schema_directory: unset.text(
    "Directory of the database and of schema files; when absent both are in the data directory (schema files in `schemas`)",
    PATH,
  ),
  migration_enabled: flag(false, "Allow schema migrations"),
  backup_on_migration: flag(true, "Back up before a migration"),
  backup_enabled: flag(false, "Allow backups"),
  max_state_size_bytes: integer(10_000_000, "Largest value, in bytes", POSITIVE),
  auto_save: flag(true, "Where it is set: keep agents' conversations after each turn, under their names"),
  auto_load: flag(true, "Where it is set: an agent takes up the conversation that is kept under its name"),
  database_url: unset.text(
    "Address of the PostgreSQL database: postgres://user:password@host:5432/name; DATABASE_URL when absent",
    SECRET,
  ),
  encryption: section("Encryption of stored values (AES-256-GCM).", {
    enabled: flag(false, "Encrypt what is saved from now on", NOT_LOWERED),
    scopes: list(["*"], "Scopes (`user:bob`), kinds of scope (`agent`), or `*` for all"),
    key_file: unset.text("File with the key: 32 bytes, in base64 or hexadecimal or as they are", PATH),
    keychain: flag(
      false,
      "Keep the key in the keychain of the operating system; LLMSPELL_STATE_KEY and key_file come first",
      TRUSTED,
    ),
  }),
  redaction: section("Secrets in what is shown of state: listings, events and recordings.", {
    enabled: flag(true, "Hide them", NOT_LOWERED),
    hash_redacted: flag(
      true,
      "Mark them `[REDACTED]_<hash>`, so that equal ones can be told within one process; otherwise `[REDACTED]`",
    ),
    field_names: list([], "Names of secrets besides the usual ones"),
    patterns: list([], "Regular expressions (RE2) for texts that hold a secret"),
  }),
  backup: section("Backups of state.", {
    backup_dir: text("./backups", "Directory of backups", PATH),
    compression_enabled: flag(true, "Compress backups"),
    compression_type: choice(["none", "lz4", "zstd"], "zstd", "How backups are compressed"),
    compression_level: integer(3, "1 (fast) to 9 (small)", { minimum: 1, maximum: 9 }),
    incremental_enabled: flag(true, "Store only what changed since the last backup"),
    max_backups: integer(10, "Backups kept", POSITIVE),
    max_backup_age: integer(2_592_000, "Age at which a backup is removed, in seconds"),
    full_interval_seconds: integer(
      86_400,
      "Age of a full backup at which no incremental one builds on it any more, in seconds",
      POSITIVE,
    ),
    restore_timeout_seconds: integer(3600, "Longest time of a restore, in seconds", POSITIVE),
    schedule: section("Backups that a kernel which listens makes by itself.", {
      enabled: flag(false, "Make them; backup_enabled must be true"),
      interval_seconds: integer(3600, "Time between two, in seconds, where daily_time is not set", {
        minimum: 60,
      }),
      daily_time: unset.text("Once a day at this local time: 03:30"),
      weekly_days: list([], "Only on these days: monday, tuesday, …; none: every day"),
    }),
  }),
});

const Sessions = section("Sessions, artifacts and replay.", {
  enabled: flag(false, "Offer the Session, Artifact and Replay globals"),
  max_sessions: integer(100, "Sessions active at once", POSITIVE),
  max_artifacts_per_session: integer(1000, "Artifacts of one session", POSITIVE),
  artifact_compression_threshold: integer(
    10_240,
    "Size above which artifacts are compressed, in bytes; 0: never",
  ),
  session_timeout_seconds: integer(3600, "Idle time after which a session ends, in seconds", POSITIVE),
  storage_backend: choice(["memory", "sqlite"], "memory", "Where sessions are kept; sled means sqlite"),
  storage_path: text(
    "./sessions",
    "Directory of large artifacts; in the data directory unless it is set",
    PATH,
  ),
  max_duration_seconds: integer(86_400, "Longest life of an active session, in seconds; 0: no end"),
  timeout_grace_seconds: integer(
    0,
    "How much later a session ends that was idle or active for too long, in seconds",
  ),
  retention_seconds: integer(
    2_592_000,
    "Age at which a completed or failed session is removed, in seconds; 0: never",
  ),
  archive_expired: flag(false, "Archive such a session, and keep it, in place of removing it"),
  persist_interval_seconds: integer(300, "Time between automatic saves, in seconds"),
  max_storage_bytes: integer(10_000_000_000, "Space for all sessions, in bytes", POSITIVE),
  replay_retention_seconds: integer(
    604_800,
    "Age at which recorded steps are removed, but for a session's last hundred, in seconds; 0: never",
  ),
  enable_replay: flag(true, "Record what sessions do, so that it can be replayed"),
});

export const LOG_LEVEL_WORDS = ["off", "error", "warn", "info", "debug", "trace"] as const;

export const Runtime = section("How scripts run.", {
  max_concurrent_scripts: integer(10, "Scripts at once in one kernel", POSITIVE),
  script_timeout_seconds: integer(
    300,
    "Time of one script, in seconds; the smallest of all limits wins",
    POSITIVE,
  ),
  enable_streaming: flag(
    true,
    "Send output and tokens piece by piece; false: when the script ends, asks for a line, or has written a mebibyte",
  ),
  database_timeout_seconds: integer(
    60,
    "How long a write waits for other processes that keep the database busy, in seconds",
    POSITIVE,
  ),
  log_level: unset.choice(LOG_LEVEL_WORDS, "Log level when neither `--trace` nor RUST_LOG is given"),
  security: Security,
  state_persistence: StatePersistence,
  sessions: Sessions,
});
