/** What happens to sessions by itself: automatic saves, the end of idle ones, the removal of what is old or left over. */

import type { Config } from "../config/schema.ts";
import { messageOf, SpellError } from "../core/errors.ts";
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
  /** @param reason `timeout` or `max_duration` */
  end: (id: string, reason: EndReason) => Promise<void>;
  /** Tells of a session's end before it comes, and that its grace begins. */
  warn: (id: string, data: TimeoutWarning) => Promise<void>;
  archive: (id: string) => Promise<void>;
  delete: (id: string) => Promise<void>;
}

export type EndReason = "timeout" | "max_duration";

export interface TimeoutWarning extends Record<string, unknown> {
  reason: EndReason;
  /** Until it ends, grace included. */
  seconds_left: number;
}

const SWEEP_MS = 60_000;
const CLEAN_UP_MS = 3_600_000;
/** Recorded steps of a session that stay, however old. */
const STEPS_KEPT = 100;
/** Before a session's end, in seconds, the earliest first. */
const WARNINGS = [300, 60];
/** The first clean-up waits until a process has shown that it stays. */
const FIRST_CLEAN_UP_MS = 60_000;

export class Upkeep {
  private readonly timers: ReturnType<typeof setInterval>[] = [];
  private readonly working = new Set<Promise<void>>();
  /** How many marks each session that is near its end was warned at. */
  private readonly warned = new Map<string, number>();

  constructor(private readonly options: UpkeepOptions) {}

  start(): void {
    if (this.options.storage.isReadOnly) return;
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

  /**
   * Ends active sessions without activity for longer than `session_timeout_seconds`, and those older than
   * `max_duration_seconds`, each after its grace; warns of ends that are near.
   */
  async endIdle(): Promise<void> {
    const { settings, recorder } = this.options;
    await recorder.flush();
    const { session_timeout_seconds, max_duration_seconds, timeout_grace_seconds } = settings();
    const nowMs = Date.now();
    const forget = new Set(this.warned.keys());
    for (const { id, updated_at, started_at } of this.near(nowMs)) {
      forget.delete(id);
      const ends: [EndReason, number][] = [["timeout", updated_at + session_timeout_seconds * 1000]];
      if (max_duration_seconds > 0) ends.push(["max_duration", started_at + max_duration_seconds * 1000]);
      const [reason, dueMs] = ends.reduce((a, b) => (b[1] < a[1] ? b : a));
      const leftMs = dueMs + timeout_grace_seconds * 1000 - nowMs;
      if (leftMs < 0) await this.attempt(() => this.options.end(id, reason));
      else {
        const lifeSeconds = reason === "timeout" ? session_timeout_seconds : max_duration_seconds;
        const warning = { reason, seconds_left: Math.round(leftMs / 1000) };
        await this.attempt(() => this.warn(id, warning, lifeSeconds));
      }
    }
    for (const id of forget) this.warned.delete(id);
  }

  /** Active sessions that a warning or an end may be due for. */
  private near(nowMs: number): { id: string; updated_at: number; started_at: number }[] {
    const { session_timeout_seconds, max_duration_seconds } = this.options.settings();
    const earliestMs = nowMs + WARNINGS[0]! * 1000;
    const startedBefore = max_duration_seconds === 0 ? 0 : earliestMs - max_duration_seconds * 1000;
    return this.options.storage.read((db) =>
      db
        .query(
          "SELECT id, updated_at, started_at FROM session WHERE status = 'active' AND (updated_at < ? OR started_at < ?)",
        )
        .all(earliestMs - session_timeout_seconds * 1000, startedBefore),
    ) as { id: string; updated_at: number; started_at: number }[];
  }

  /** Once for each mark that its end has come within; activity takes them back. */
  private async warn(id: string, warning: TimeoutWarning, lifeSeconds: number): Promise<void> {
    const isWithin = (mark: number) => warning.seconds_left <= mark && mark < lifeSeconds;
    const marks = WARNINGS.filter(isWithin).length;
    const told = this.warned.get(id) ?? 0;
    this.warned.set(id, marks);
    if (marks > told) await this.options.warn(id, warning);
  }

  private async saveChanged(): Promise<void> {
    const { recorder, save } = this.options;
    for (const id of [...recorder.unsaved])
      await this.attempt(() =>
        save(id).catch((error: unknown) => {
          // another process has deleted it
          if (error instanceof SpellError && error.code === "not_found") recorder.unsaved.delete(id);
          else throw error;
        }),
      );
  }

  /** Removes or archives what ended long ago, and what ended processes left. */
  async cleanUp(): Promise<void> {
    const { retention_seconds, archive_expired, replay_retention_seconds } = this.options.settings();
    const expire = archive_expired ? this.options.archive : this.options.delete;
    if (retention_seconds > 0)
      for (const id of this.ended(Date.now() - retention_seconds * 1000))
        await this.attempt(() => expire(id));
    if (replay_retention_seconds > 0)
      await this.attempt(() => this.forgetSteps(Date.now() - replay_retention_seconds * 1000));
    await this.options.artifacts.contents.collect();
  }

  private async forgetSteps(beforeMs: number): Promise<void> {
    await this.options.storage.write((db) =>
      db
        .query(
          `DELETE FROM replay_step WHERE started_at < ? AND step <= (SELECT max(step) FROM replay_step AS newest
             WHERE newest.session_id = replay_step.session_id) - ${STEPS_KEPT}`,
        )
        .run(beforeMs),
    );
  }

  private ended(beforeMs: number): string[] {
    const rows = this.options.storage.read((db) =>
      db
        .query("SELECT id FROM session WHERE status IN ('completed', 'failed') AND ended_at < ?")
        .all(beforeMs),
    );
    return (rows as { id: string }[]).map(({ id }) => id);
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await Promise.all(this.working);
  }
}
