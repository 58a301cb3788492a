/** Records under storage keys: those of the backend, and those of ephemeral keys that stay in this process. */
import type { Applied, Awaitable, StateChange, StateRecord } from "./backend.ts";
import { byBytes, MemoryBackend } from "./backends/memory.ts";
import type { StateCodec } from "./codec.ts";
import type { GuardedBackend } from "./guard.ts";
import { otherSpellings, rawKeys, type StatePlace } from "./keys.ts";
import type { RawState } from "./service.ts";

/** The record has another version than expected; nothing was changed. */
export class VersionConflict extends Error {
  override readonly name = "VersionConflict";
  constructor(readonly conflict: { key: string; expected: number; actual: number }) {
    super("version conflict");
  }
}

export class StateRecords implements RawState {
  private readonly ephemeral = new MemoryBackend();

  constructor(
    readonly backend: GuardedBackend,
    private readonly codec: StateCodec,
    public schemaVersion: string,
  ) {}

  decode(record: Pick<StateRecord, "key" | "value">): unknown {
    return this.codec.decode(record);
  }

  encode(storageKey: string, value: unknown): Uint8Array {
    return this.codec.encode(storageKey, value);
  }

  at(storageKey: string) {
    return this.ephemeral.get(storageKey) ?? this.backend.get(storageKey);
  }

  /** Under its own key, else, unless only that counts, under another by which it is known. */
  find(place: StatePlace, onlyExact = false): Awaitable<StateRecord | undefined> {
    const exact = this.at(place.storageKey);
    if (onlyExact) return exact;
    if (exact instanceof Promise) return exact.then((found) => found ?? this.findOther(place));
    return exact ?? this.findOther(place);
  }

  private findOther(place: StatePlace): Awaitable<StateRecord | undefined> {
    const keys = [...otherSpellings(place), ...rawKeys(place.key)];
    return keys.length === 0 ? undefined : this.firstOf(keys);
  }

  private async firstOf(keys: readonly string[]): Promise<StateRecord | undefined> {
    for (const key of keys) {
      const record = await this.at(key);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  /** @param expected the version that the record must have; 0: there is none @throws VersionConflict */
  async set({ storageKey, class: kind }: StatePlace, value: unknown, expected?: number): Promise<void> {
    const setting = this.setting(storageKey, value);
    const change = expected === undefined ? setting : withExpected(setting, expected);
    if (kind === "ephemeral") {
      versionsOf(await this.ephemeral.apply([change]));
      return;
    }
    versionsOf(await this.backend.apply([change]));
    if (this.ephemeral.get(storageKey) !== undefined)
      await this.ephemeral.apply([{ type: "delete", key: storageKey }]);
  }

  /** Under all the keys by which it is known, or its own only. Whether there was one. @throws VersionConflict */
  async remove(
    place: StatePlace,
    { expected, exact = false }: { expected?: number | undefined; exact?: boolean | undefined },
  ): Promise<boolean> {
    const { storageKey, class: kind } = place;
    const deletions = [storageKey, ...(exact ? [] : otherSpellings(place))].map(
      (key): StateChange => ({ type: "delete", key }),
    );
    const conditional = [withExpected(deletions[0]!, expected), ...deletions.slice(1)];
    const isEphemeral = kind === "ephemeral";
    const stored = await this.backend.apply(isEphemeral ? deletions : conditional);
    const kept = await this.ephemeral.apply(isEphemeral ? conditional : deletions);
    return versionsOf(stored).removed + versionsOf(kept).removed > 0;
  }

  /** Keys without their prefix, sorted. */
  async keys(prefixes: readonly string[]): Promise<string[]> {
    const found = new Set<string>();
    for (const prefix of prefixes)
      for (const key of [...(await this.backend.keys(prefix)), ...this.ephemeral.keys(prefix)])
        found.add(key.slice(prefix.length));
    return [...found].sort(byBytes);
  }

  /** By storage key. Those that are in this process only have the version 0. */
  async list(prefixes: readonly string[]): Promise<StateRecord[]> {
    const records = new Map<string, StateRecord>();
    for (const prefix of prefixes) {
      for (const record of await this.backend.list(prefix)) records.set(record.key, record);
      for (const record of this.ephemeral.list(prefix)) records.set(record.key, { ...record, version: 0 });
    }
    return [...records.values()].sort((a, b) => byBytes(a.key, b.key));
  }

  /** How many there were. */
  async clear(prefixes: readonly string[]): Promise<number> {
    const changes = prefixes.map((prefix): StateChange => ({ type: "clear", prefix }));
    const stored = versionsOf(await this.backend.apply(changes));
    const kept = versionsOf(await this.ephemeral.apply(changes));
    return stored.removed + kept.removed;
  }

  /** All or none. With `replace`, every other value goes. */
  async import(values: readonly { storageKey: string; value: unknown }[], replace: boolean): Promise<void> {
    const changes: StateChange[] = values.map(({ storageKey, value }) => this.setting(storageKey, value));
    if (replace) changes.unshift({ type: "clear", prefix: "" });
    versionsOf(await this.backend.apply(changes));
    if (replace) await this.ephemeral.apply([{ type: "clear", prefix: "" }]);
  }

  private setting(storageKey: string, value: unknown): Extract<StateChange, { type: "set" }> {
    const { schemaVersion } = this;
    return { type: "set", key: storageKey, value: this.codec.encode(storageKey, value), schemaVersion };
  }
}

const withExpected = (change: StateChange, expected: number | undefined): StateChange =>
  expected === undefined || change.type === "clear" ? change : { ...change, expected };

function versionsOf(applied: Applied): Extract<Applied, { applied: true }> {
  if (applied.applied) return applied;
  throw new VersionConflict(applied.conflict);
}
