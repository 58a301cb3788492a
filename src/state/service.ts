/**
 * State: values under a scope and a key (spec/kernel.md section 13). A scope is `global`, `KIND:ID` with the kinds
 * user, session, agent, tool, workflow, hook and custom, or any other text; the storage key is `SCOPE:KEY`.
 */
import type { StateBackend, StateRecord } from "./backend.ts";
import type { ScopedState } from "./scoped.ts";

export interface StateEntry {
  storageKey: string;
  scope: string;
  key: string;
  value: unknown;
  /** Of the record in the backend; 0 for values that are kept in memory only (`temp:`, `cache:`). */
  version: number;
  timestampMs: number;
  schemaVersion: string;
}

export interface StateCallOptions {
  correlationId?: string;
  signal?: AbortSignal;
  /** Only the record of this very scope and key, under no other spelling. */
  exact?: boolean;
}

export interface StateService {
  /** The value; undefined where there is none. @throws SpellError invalid_argument, io, permission_denied (a hook) */
  load(scope: string, key: string, options?: StateCallOptions): Promise<unknown>;
  /** Stored for good when it resolves. @throws SpellError invalid_argument, limit, io, permission_denied (a hook) */
  save(scope: string, key: string, value: unknown, options?: StateCallOptions): Promise<void>;
  /** Whether there was one. */
  delete(scope: string, key: string, options?: StateCallOptions): Promise<boolean>;
  /** Scope and key of a key that is written with its scope (`user:ID:x`, `global:x`); any other is of `global`. */
  split(key: string): { scope: string; key: string };
  exists(scope: string, key: string, options?: StateCallOptions): Promise<boolean>;
  /** Keys of a scope without the scope, sorted. */
  keys(scope: string): Promise<string[]>;
  /** What is stored, by storage key; `key` begins with what is given. */
  entries(filter?: { scope?: string; key?: string }): Promise<StateEntry[]>;
  /** Removes a scope, or everything. How many values there were. */
  clear(scope?: string): Promise<number>;
  /**
   * Reads, changes and writes without another process in between; `change` may run several times. Its result is
   * stored and returned; undefined removes the value.
   */
  update(
    scope: string,
    key: string,
    change: (value: unknown) => unknown,
    options?: StateCallOptions,
  ): Promise<unknown>;
  /** Many values at once, all or none; with `replace`, everything else goes. No hooks run. */
  import(entries: readonly { scope: string; key: string; value: unknown }[], replace: boolean): Promise<void>;
  /** Tells hooks that records were changed as a whole, past the functions above. */
  changed(operation: "state_restore" | "state_migrate"): Promise<void>;
  /** A value as listings, events and recordings show it: without secrets. */
  shown(key: string, value: unknown): unknown;
  /** State as a scope may use it. @throws SpellError invalid_argument for a scope that is not `global` or `KIND:ID` */
  as(scope: string): ScopedState;
  readonly raw: RawState;
  figures(): StateFigures;
  dispose(): Promise<void>;
}

/** Records as they are stored, for backups and migrations. */
export interface RawState {
  readonly backend: StateBackend;
  /** @throws SpellError config (another or no key), io (damaged) */
  decode(record: Pick<StateRecord, "key" | "value">): unknown;
  encode(storageKey: string, value: unknown): Uint8Array;
  /** What new records are marked with. Kept in the note `$$schema_version`; `1.0.0` where there is none. */
  schemaVersion: string;
}

/** What the health report says (spec/kernel.md section 12.1). Latencies in microseconds; 0 where nothing was done. */
export interface StateFigures {
  reads: number;
  writes: number;
  avg_read_latency_us: number;
  avg_write_latency_us: number;
  read_errors: number;
  write_errors: number;
  persistence_ops: number;
  persistence_errors: number;
  circuit_breaker_trips: number;
}

export const NO_STATE_FIGURES: StateFigures = {
  reads: 0,
  writes: 0,
  avg_read_latency_us: 0,
  avg_write_latency_us: 0,
  read_errors: 0,
  write_errors: 0,
  persistence_ops: 0,
  persistence_errors: 0,
  circuit_breaker_trips: 0,
};
