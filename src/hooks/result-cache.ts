/** Results that hooks asked to keep: for a time, and the least used leave first. */

interface Entry {
  value: unknown;
  cachedAtMs: number;
  untilMs: number;
}

export class ResultCache {
  /** In order of use, the latest last. */
  private readonly entries = new Map<string, Entry>();
  hits = 0;
  misses = 0;

  constructor(
    public maxEntries = 1000,
    private readonly now: () => number = Date.now,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  get(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    this.entries.delete(key);
    if (entry === undefined || entry.untilMs <= this.now()) {
      this.misses++;
      return undefined;
    }
    this.entries.set(key, entry);
    this.hits++;
    return entry;
  }

  set(key: string, value: unknown, ttlMs: number): void {
    const cachedAtMs = this.now();
    this.entries.delete(key);
    this.entries.set(key, { value, cachedAtMs, untilMs: cachedAtMs + ttlMs });
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.maxEntries) break;
      this.entries.delete(oldest);
    }
  }
}
