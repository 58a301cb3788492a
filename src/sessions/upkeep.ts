/** What happens to sessions by itself: automatic saves, the end of idle ones, the removal of what is old or left over. */

import type { Config } from "../config/schema.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Storage } from "../storage/storage.ts";
import type { Artifacts } from "./artifacts/artifacts.ts";
import type { Recording } from "./replay/recorder.ts";

export interface UpkeepOptions {
  storage: Storage;
  settings: () => Config["runtime"]["sessions"];
  log: Log;
  artifacts: Artifacts;
  recorder: Recording;
  save: (id: string) => Promise<void>;
  end: (id: string) => Promise<void>;
  delete: (id: string) => Promise<void>;
}

const SWEEP_MS = 60_000;
const CLEAN_UP_MS = 3_600_000;
const RETENTION_MS = 30 * 24 * 3_600_000;
/** The first clean-up waits until a process has shown that it stays. */
const FIRST_CLEAN_UP_MS = 60_000;

export class Upkeep {
  private readonly timers: ReturnType<typeof setInterval>[] = [];
  private readonly working = new Set<Promise<void>>();

  constructor(private readonly options: UpkeepOptions) {}

  start(): void {
    const { session_timeout_seconds, persist_interval_seconds } = this.options.settings();
    const sweepMs = Math.min(SWEEP_MS, session_timeout_seconds * 500);
    void this.attempt(() => this.endIdle());
    this.every(sweepMs, () => this.endIdle());
    if (persist_interval_seconds > 0) this.every(persist_interval_seconds * 1000, () => this.saveChanged());
    this.timers.push(setTimeout(() => void this.attempt(() => this.cleanUp()), FIRST_CLEAN_UP_MS).unref());
    this.every(CLEAN_UP_MS, () => this.cleanUp());
  }

  private every(ms: number, work: () => Promise<void>): void {
    this.timers.push(setInterval(() => void this.attempt(work), ms).unref());
  }

  private attempt(work: () => Promise<void>): Promise<void> {
    const mine = this.tried(work);
    this.working.add(mine);
    return mine.finally(() => this.working.delete(mine));
  }

  private async tried(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.options.log.warn("session", "upkeep of sessions failed", { error: messageOf(error) });
    }
  }

  /** Active sessions without activity for longer than `session_timeout_seconds`. */
  async endIdle(): Promise<void> {
    const { settings, recorder } = this.options;
    await recorder.flush();
    const before = Date.now() - settings().session_timeout_seconds * 1000;
    for (const id of this.ids("status = 'active' AND updated_at < ?", before))
      await this.attempt(() => this.options.end(id));
  }

  private async saveChanged(): Promise<void> {
    for (const id of [...this.options.recorder.unsaved]) await this.attempt(() => this.options.save(id));
  }

  private async cleanUp(): Promise<void> {
    for (const id of this.ids(
      "status IN ('completed', 'failed') AND ended_at < ?",
      Date.now() - RETENTION_MS,
    ))
      await this.attempt(() => this.options.delete(id));
    await this.options.artifacts.contents.collect();
  }

  private ids(condition: string, beforeMs: number): string[] {
    const rows = this.options.storage.read((db) =>
      db.query(`SELECT id FROM session WHERE ${condition}`).all(beforeMs),
    );
    return (rows as { id: string }[]).map(({ id }) => id);
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await Promise.all(this.working);
  }
}
