/** The state service over its records. */

import type { StateAccess } from "./access.ts";
import type { StateRecord } from "./backend.ts";
import { Meter, stateFigures } from "./figures.ts";
import { parseStorageKey, placeOf, prefixesOf, splitKey } from "./keys.ts";
import type { StateOperation } from "./points.ts";
import type { StateRecords } from "./records.ts";
import { ScopedState } from "./scoped.ts";
import type { StateCallOptions, StateEntry, StateFigures, StateService } from "./service.ts";

export class State implements StateService {
  private readonly reads = new Meter();
  private readonly writes = new Meter();

  constructor(
    readonly raw: StateRecords,
    private readonly access: StateAccess,
    readonly shown: StateService["shown"],
  ) {}

  load(scope: string, key: string, options: StateCallOptions = {}): Promise<unknown> {
    return this.reads.time(() => this.access.read(placeOf(scope, key), options));
  }

  /** Nil is a value: it is stored as null. */
  save(scope: string, key: string, value: unknown, options: StateCallOptions = {}): Promise<void> {
    return this.writes.time(async () => {
      await this.access.write(placeOf(scope, key), value ?? null, options);
    });
  }

  delete(scope: string, key: string, options: StateCallOptions = {}): Promise<boolean> {
    return this.writes.time(
      async () => (await this.access.write(placeOf(scope, key), undefined, options)).removed,
    );
  }

  exists(scope: string, key: string, { exact }: StateCallOptions = {}): Promise<boolean> {
    return this.reads.time(async () => (await this.raw.find(placeOf(scope, key), exact)) !== undefined);
  }

  keys(scope: string): Promise<string[]> {
    return this.reads.time(async () => this.raw.keys(prefixesOf(scope)));
  }

  entries({ scope, key }: { scope?: string; key?: string } = {}): Promise<StateEntry[]> {
    return this.reads.time(async () => {
      const records = await this.raw.list(scope === undefined ? [""] : prefixesOf(scope));
      const entries = records.map((record) => this.entryOf(record));
      return key === undefined ? entries : entries.filter((entry) => entry.key.startsWith(key));
    });
  }

  clear(scope?: string): Promise<number> {
    const operation = { operation: "state_clear", scope: scope ?? null } as const;
    return this.writes.time(async () =>
      this.whole(operation, () => this.raw.clear(scope === undefined ? [""] : prefixesOf(scope))),
    );
  }

  update(
    scope: string,
    key: string,
    change: (value: unknown) => unknown,
    options: StateCallOptions = {},
  ): Promise<unknown> {
    return this.writes.time(async () => this.access.update(placeOf(scope, key), change, options));
  }

  import(
    entries: readonly { scope: string; key: string; value: unknown }[],
    replace: boolean,
  ): Promise<void> {
    return this.writes.time(async () => {
      const values = entries.map(({ scope, key, value }) => ({
        storageKey: placeOf(scope, key).storageKey,
        value,
      }));
      await this.whole({ operation: "state_import", replace, entries: values.length }, () =>
        this.raw.import(values, replace),
      );
    });
  }

  /** A change of many values between the kernel's points. */
  private whole<T>(operation: StateOperation, work: () => Promise<T>): Promise<T> {
    const { points } = this.access;
    return points.change(operation, {}, () => points.persist(operation, {}, work));
  }

  changed(operation: "state_restore" | "state_migrate"): Promise<void> {
    return this.access.points.changed({ operation });
  }

  as(scope: string): ScopedState {
    return new ScopedState(this, scope);
  }

  split(key: string): { scope: string; key: string } {
    return splitKey(key);
  }

  figures(): StateFigures {
    return stateFigures(this.reads, this.writes, this.raw.backend);
  }

  dispose(): Promise<void> {
    return this.raw.backend.close();
  }

  private entryOf(record: StateRecord): StateEntry {
    const { version, timestampMs, schemaVersion, key: storageKey } = record;
    const { scope, key } = parseStorageKey(storageKey);
    const value = this.raw.decode(record);
    return { storageKey, scope, key, value, version, timestampMs, schemaVersion };
  }
}
