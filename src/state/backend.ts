/**
 * Where state records are kept: in memory, in SQLite, in PostgreSQL. A backend knows keys and bytes; scopes, classes,
 * hooks, compression and encryption are the service's.
 */

export interface StateRecord {
  /** Storage key (`global:x`, `user:ID:x`). Keys that begin with `$$` are the program's own notes. */
  key: string;
  /** The value as `StateCodec` wrote it. */
  value: Uint8Array;
  /** Grows with every write to the whole backend: a record written again, deleted or not, never has an old one. */
  version: number;
  /** Of the last write, milliseconds since the epoch. */
  timestampMs: number;
  schemaVersion: string;
}

/**
 * `expected` makes the change depend on the record's version: 0 means that there is no record. A record that is set
 * keeps `timestampMs` where one is given (restored records); otherwise it gets the present.
 */
export type StateChange =
  | {
      type: "set";
      key: string;
      value: Uint8Array;
      schemaVersion: string;
      timestampMs?: number;
      expected?: number;
    }
  | { type: "delete"; key: string; expected?: number }
  /** Every record whose key begins so; `""`: all. The program's own notes stay unless the prefix names them. */
  | { type: "clear"; prefix: string };

export type Applied =
  /** `versions`: of each set record; 0 for the other changes. `removed`: how many records are gone. */
  | { applied: true; versions: number[]; removed: number }
  /** Nothing was changed: the record has another version than expected. */
  | { applied: false; conflict: { key: string; expected: number; actual: number } };

export type Awaitable<T> = T | Promise<T>;

export interface StateBackend {
  readonly name: "memory" | "sqlite" | "postgres";
  /** @throws SpellError io, network */
  get(key: string): Awaitable<StateRecord | undefined>;
  /** Records whose key begins so, by key (bytes of UTF-8). Own notes only where the prefix names them. */
  list(prefix: string): Awaitable<StateRecord[]>;
  keys(prefix: string): Awaitable<string[]>;
  /** All changes in their order or none. When it resolves they survive the end of this process at any moment. */
  apply(changes: readonly StateChange[]): Promise<Applied>;
  /** What is wrong with the storage itself, in words; values are not looked into. */
  problems(): Awaitable<string[]>;
  close(): Promise<void>;
}

/** The program's own notes have keys that begin so; keys of scripts cannot. */
export const NOTE_PREFIX = "$$";

/** The first text after all that begin with `prefix`, by bytes of UTF-8; undefined where there is none. */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10_ffff) continue;
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}
