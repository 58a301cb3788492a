/** Replays that start by themselves while the process lives. */
import { randomUUID } from "node:crypto";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { LONGEST_TIMER_MS } from "../../core/pulse.ts";
import { time } from "../rows.ts";
import type { ReplayOptions, ReplayResult, ReplaySchedule, ScheduledReplay } from "./service.ts";

interface Entry {
  shown: ScheduledReplay;
  schedule: ReplaySchedule;
  options: ReplayOptions;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const MOST = 100;

export class Schedules {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly log: Log,
    private readonly replay: (sessionId: string, options: ReplayOptions) => Promise<ReplayResult>,
  ) {}

  /** @throws SpellError invalid_argument, limit */
  add(sessionId: string, schedule: ReplaySchedule, options: ReplayOptions): string {
    if (this.entries.size >= MOST)
      throw new SpellError("limit", `Cannot schedule the replay: ${MOST} are scheduled already`, {
        hint: "Cancel one with Session.cancel_replay",
      });
    const id = randomUUID();
    const shown = { id, session_id: sessionId, type: schedule.type, next_run: null, runs: 0, last: null };
    const entry: Entry = { shown, schedule, options, timer: undefined };
    this.plan(entry, firstRunMs(schedule));
    this.entries.set(id, entry);
    return id;
  }

  private plan(entry: Entry, atMs: number | undefined): void {
    entry.shown.next_run = atMs === undefined ? null : time(atMs);
    if (atMs === undefined) return;
    const wait = () => {
      const leftMs = atMs - Date.now();
      if (leftMs <= 0) void this.run(entry);
      else entry.timer = setTimeout(wait, Math.min(leftMs, LONGEST_TIMER_MS)).unref();
    };
    entry.timer = setTimeout(wait, Math.min(Math.max(atMs - Date.now(), 0), LONGEST_TIMER_MS)).unref();
  }

  private async run(entry: Entry): Promise<void> {
    const { shown, schedule, options } = entry;
    const startTime = time(Date.now());
    shown.runs++;
    try {
      const { failed_replays } = await this.replay(shown.session_id, options);
      shown.last = {
        start_time: startTime,
        state: failed_replays === 0 ? "completed" : "failed",
        error: null,
      };
    } catch (error) {
      shown.last = { start_time: startTime, state: "failed", error: messageOf(error) };
      this.log.warn("session", "a scheduled replay failed", {
        session: shown.session_id,
        error: messageOf(error),
      });
    }
    if (this.entries.has(shown.id)) this.plan(entry, nextRunMs(schedule, shown.runs));
  }

  list(): ScheduledReplay[] {
    return [...this.entries.values()].map(({ shown }) => ({ ...shown }));
  }

  cancel(id: string): boolean {
    clearTimeout(this.entries.get(id)?.timer);
    return this.entries.delete(id);
  }

  stop(): void {
    for (const id of this.entries.keys()) this.cancel(id);
  }
}

/** @throws SpellError invalid_argument for an expression that never comes true */
function firstRunMs(schedule: ReplaySchedule): number {
  switch (schedule.type) {
    case "once":
      return Date.now() + schedule.delaySeconds * 1000;
    case "interval":
      return Date.now() + schedule.initialSeconds * 1000;
    case "cron":
      return cronMs(schedule.expression);
  }
}

function nextRunMs(schedule: ReplaySchedule, runs: number): number | undefined {
  switch (schedule.type) {
    case "once":
      return undefined;
    case "interval":
      return runs >= (schedule.most ?? Number.POSITIVE_INFINITY)
        ? undefined
        : Date.now() + schedule.intervalSeconds * 1000;
    case "cron":
      return cronMs(schedule.expression);
  }
}

function cronMs(expression: string): number {
  let next: Date | null;
  try {
    next = Bun.cron.parse(expression);
  } catch (cause) {
    throw new SpellError("invalid_argument", `Invalid cron expression: ${messageOf(cause)}: ${expression}`, {
      cause,
    });
  }
  if (next !== null) return next.getTime();
  throw new SpellError("invalid_argument", `Invalid cron expression: it never comes true: ${expression}`);
}
