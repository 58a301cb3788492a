/** Puts the state service together as the configuration says. */

import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { EventService } from "../events/service.ts";
import type { HookRunner } from "../hooks/service.ts";
import type { ConfigService } from "../kernel/services.ts";
import type { Storage } from "../storage/storage.ts";
import { StateAccess } from "./access.ts";
import { NOTE_PREFIX, type StateBackend } from "./backend.ts";
import { StateCodec } from "./codec.ts";
import { GuardedBackend } from "./guard.ts";
import { stateCipher } from "./key-source.ts";
import { StateRecords } from "./records.ts";
import { type RedactionSettings, Redactor } from "./redact.ts";
import type { StateService } from "./service.ts";
import { State } from "./state.ts";

const FIRST_SCHEMA_VERSION = "1.0.0";
/** Where a migration notes the version that it brought the records to. */
export const SCHEMA_VERSION_NOTE = `${NOTE_PREFIX}schema_version`;

export interface StateDependencies {
  config: ConfigService;
  log: Log;
  env: Record<string, string | undefined>;
  /** The database of the data directory. */
  storage: () => Promise<Storage>;
  hooks: () => Promise<HookRunner>;
  events: () => Promise<EventService>;
  /** What is stored ends with the service. */
  isDryRun?: boolean;
}

/** @throws SpellError config, io */
export async function createStateService(dependencies: StateDependencies): Promise<StateService> {
  const { config, log, env, hooks, events } = dependencies;
  const settings = config.current.runtime.state_persistence;
  if (!settings.enabled)
    throw new SpellError("config", "Cannot use state: it is switched off", {
      hint: "Set runtime.state_persistence.enabled = true",
    });
  const cipher = await stateCipher(settings.encryption, env);
  const backend = new GuardedBackend(await openBackend(dependencies));
  const codec = new StateCodec({
    maxBytes: () => config.current.runtime.state_persistence.max_state_size_bytes,
    cipher,
  });
  const records = new StateRecords(backend, codec, FIRST_SCHEMA_VERSION);
  const note = await backend.get(SCHEMA_VERSION_NOTE);
  if (note !== undefined) records.schemaVersion = String(codec.decode(note));
  log.debug("kernel", "state opened", { backend: backend.name, schema_version: records.schemaVersion });
  const emitsEvents = () => config.current.events.enabled && config.current.events.emit_state_events;
  const redactor = redactorOf(config);
  const shown = (key: string, value: unknown) => redactor().shown(key, value);
  return new State(records, new StateAccess(records, { hooks, events, emitsEvents, shown }), shown);
}

/** As the configuration stands now. */
function redactorOf(config: ConfigService): () => Redactor {
  let known: { settings: RedactionSettings; redactor: Redactor } | undefined;
  return () => {
    const settings = config.current.runtime.state_persistence.redaction;
    if (known?.settings !== settings) known = { settings, redactor: new Redactor(settings) };
    return known.redactor;
  };
}

async function openBackend(dependencies: StateDependencies): Promise<StateBackend> {
  const { config, env, storage, isDryRun } = dependencies;
  const { database_timeout_seconds, state_persistence } = config.current.runtime;
  const { backend_type, schema_directory, database_url } = state_persistence;
  switch (backend_type) {
    case "memory": {
      const { MemoryBackend } = await import("./backends/memory.ts");
      return new MemoryBackend();
    }
    case "sqlite":
    case "file": {
      const { SqliteBackend } = await import("./backends/sqlite.ts");
      if (schema_directory === undefined) return new SqliteBackend(await storage(), false);
      if (isDryRun) {
        const { openCopy } = await import("../storage/copy.ts");
        return new SqliteBackend(await openCopy(schema_directory), true);
      }
      const { openStorage } = await import("../storage/storage.ts");
      const opened = await openStorage(schema_directory, undefined, database_timeout_seconds * 1000);
      return new SqliteBackend(opened, true);
    }
    case "postgres": {
      const url = database_url ?? env.DATABASE_URL;
      if (url === undefined || url === "")
        throw new SpellError("config", "Cannot keep state in PostgreSQL: no address is set", {
          data: { path: "runtime.state_persistence.database_url" },
          hint: "Set it, or LLMSPELL_STATE_DATABASE_URL, to postgres://user:password@host:5432/database",
        });
      const { PostgresBackend } = await import("./backends/postgres.ts");
      const backend = new PostgresBackend(url);
      if (!isDryRun) return backend;
      const { MemoryBackend } = await import("./backends/memory.ts");
      return MemoryBackend.copyOf(backend);
    }
  }
}
