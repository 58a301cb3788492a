/** State that lives as long as the process. */
import {
  type Applied,
  NOTE_PREFIX,
  type StateBackend,
  type StateChange,
  type StateRecord,
} from "../backend.ts";

export class MemoryBackend implements StateBackend {
  readonly name = "memory";
  private records = new Map<string, StateRecord>();
  private lastVersion = 0;

  /** What another one holds now, which is closed. */
  static async copyOf(other: StateBackend): Promise<MemoryBackend> {
    const copy = new MemoryBackend();
    try {
      for (const prefix of ["", NOTE_PREFIX])
        for (const record of await other.list(prefix)) {
          copy.records.set(record.key, record);
          copy.lastVersion = Math.max(copy.lastVersion, record.version);
        }
    } finally {
      await other.close();
    }
    return copy;
  }

  get(key: string): StateRecord | undefined {
    return this.records.get(key);
  }

  list(prefix: string): StateRecord[] {
    return this.keys(prefix).map((key) => this.records.get(key)!);
  }

  keys(prefix: string): string[] {
    const notes = prefix.startsWith(NOTE_PREFIX);
    return [...this.records.keys()]
      .filter((key) => key.startsWith(prefix) && (notes || !key.startsWith(NOTE_PREFIX)))
      .sort(byBytes);
  }

  async apply(changes: readonly StateChange[]): Promise<Applied> {
    const before = new Map(this.records);
    const versions: number[] = [];
    let removed = 0;
    for (const change of changes) {
      const actual = change.type === "clear" ? 0 : (this.records.get(change.key)?.version ?? 0);
      if (change.type !== "clear" && change.expected !== undefined && change.expected !== actual) {
        this.records = before;
        return { applied: false, conflict: { key: change.key, expected: change.expected, actual } };
      }
      removed += this.change(change);
      versions.push(change.type === "set" ? this.lastVersion : 0);
    }
    return { applied: true, versions, removed };
  }

  /** How many records are gone. */
  private change(change: StateChange): number {
    switch (change.type) {
      case "set": {
        const { key, schemaVersion, timestampMs = Date.now() } = change;
        const value = new Uint8Array(change.value);
        this.records.set(key, { key, value, version: ++this.lastVersion, timestampMs, schemaVersion });
        return 0;
      }
      case "delete":
        return this.records.delete(change.key) ? 1 : 0;
      case "clear": {
        const keys = this.keys(change.prefix);
        for (const key of keys) this.records.delete(key);
        return keys.length;
      }
    }
  }

  problems(): string[] {
    return [];
  }

  async close(): Promise<void> {
    this.records.clear();
  }
}

/** As the databases sort: by UTF-8 bytes. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
