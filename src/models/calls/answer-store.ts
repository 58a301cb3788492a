/** Where answers are kept: in memory, or in the database. */
import type { Storage } from "../../storage/storage.ts";
import type { KeptPart } from "./parts.ts";

export interface AnswerStore {
  get(key: string): Promise<KeptPart[] | undefined>;
  set(key: string, parts: readonly KeptPart[]): Promise<void>;
}

export interface AnswerBounds {
  ttlMs: number;
  maxEntries: number;
}

export class AnswersInMemory implements AnswerStore {
  /** The least recently used first. */
  private readonly answers = new Map<string, { madeMs: number; text: string }>();

  constructor(
    private readonly bounds: () => AnswerBounds,
    private readonly now: () => number = Date.now,
  ) {}

  async get(key: string): Promise<KeptPart[] | undefined> {
    const found = this.answers.get(key);
    if (found === undefined) return undefined;
    this.answers.delete(key);
    if (found.madeMs < this.now() - this.bounds().ttlMs) return undefined;
    this.answers.set(key, found);
    return JSON.parse(found.text) as KeptPart[];
  }

  async set(key: string, parts: readonly KeptPart[]): Promise<void> {
    this.answers.delete(key);
    this.answers.set(key, { madeMs: this.now(), text: JSON.stringify(parts) });
    for (const oldest of this.answers.keys()) {
      if (this.answers.size <= this.bounds().maxEntries) return;
      this.answers.delete(oldest);
    }
  }
}

export class StoredAnswers implements AnswerStore {
  constructor(
    private readonly storage: () => Promise<Storage>,
    private readonly bounds: () => AnswerBounds,
    private readonly now: () => number = Date.now,
  ) {}

  async get(key: string): Promise<KeptPart[] | undefined> {
    const storage = await this.storage();
    const since = this.now() - this.bounds().ttlMs;
    const row = storage.read((db) =>
      db
        .query<{ parts: string }, [string, number]>(
          "SELECT parts FROM model_answer WHERE key = ? AND made_ms >= ?",
        )
        .get(key, since),
    );
    if (row === null) return undefined;
    await storage.write((db) =>
      db.query("UPDATE model_answer SET used_ms = ? WHERE key = ?").run(this.now(), key),
    );
    return JSON.parse(row.parts) as KeptPart[];
  }

  async set(key: string, parts: readonly KeptPart[]): Promise<void> {
    const storage = await this.storage();
    const { ttlMs, maxEntries } = this.bounds();
    const now = this.now();
    await storage.write((db) => {
      db.query("INSERT OR REPLACE INTO model_answer VALUES (?, ?, ?, ?)").run(
        key,
        now,
        now,
        JSON.stringify(parts),
      );
      db.query("DELETE FROM model_answer WHERE made_ms < ?").run(now - ttlMs);
      db.query(
        "DELETE FROM model_answer WHERE key IN (SELECT key FROM model_answer ORDER BY used_ms DESC LIMIT -1 OFFSET ?)",
      ).run(maxEntries);
    });
  }
}
