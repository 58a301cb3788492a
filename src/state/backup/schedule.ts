/** Backups at times to come: spec/agents-workflows-rag.md section 9.5. */
import type { Config } from "../../config/schema.ts";
import { messageOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { BackupInfo, BackupService } from "./service.ts";

export type ScheduleSettings = Config["runtime"]["state_persistence"]["backup"]["schedule"];

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;

/** `03:30`, of local time. */
const DAILY_TIME = /^([01]?\d|2[0-3]):([0-5]\d)$/;

const DAY_MS = 24 * 3_600_000;
const MOST_DAYS = 8;

/**
 * When the next backup is due: now or earlier for one that was missed. Times are local.
 * @param newestMs when the newest backup was made; undefined where there is none
 */
export function nextBackupMs(
  settings: ScheduleSettings,
  newestMs: number | undefined,
  nowMs: number,
): number {
  const days = new Set(settings.weekly_days.map((day) => day.toLowerCase()));
  const isAllowed = (ms: number) => days.size === 0 || days.has(WEEKDAYS[new Date(ms).getDay()]!);
  const [, hours, minutes] = DAILY_TIME.exec(settings.daily_time ?? "") ?? [];
  if (hours === undefined) {
    const dueMs = Math.max(
      newestMs === undefined ? nowMs : newestMs + settings.interval_seconds * 1000,
      nowMs,
    );
    return isAllowed(dueMs) ? dueMs : midnightAfter(dueMs, isAllowed);
  }
  const at = (ms: number) => new Date(ms).setHours(Number(hours), Number(minutes), 0, 0);
  for (let day = -MOST_DAYS; day <= MOST_DAYS; day++) {
    const dueMs = at(nowMs + day * DAY_MS);
    const isMissed = dueMs <= nowMs && isLast(dueMs);
    if (isAllowed(dueMs) && (dueMs > nowMs || (isMissed && (newestMs ?? 0) < dueMs))) return dueMs;
  }
  return nowMs + DAY_MS;

  /** Of those that are over, only the last is made up for. */
  function isLast(ms: number): boolean {
    for (let later = at(ms + DAY_MS); later <= nowMs; later = at(later + DAY_MS))
      if (isAllowed(later)) return false;
    return true;
  }
}

function midnightAfter(ms: number, isAllowed: (ms: number) => boolean): number {
  let midnight = ms;
  do {
    const next = new Date(midnight);
    next.setDate(next.getDate() + 1);
    midnight = next.setHours(0, 0, 0, 0);
  } while (!isAllowed(midnight));
  return midnight;
}

export interface ScheduleDependencies {
  settings: () => ScheduleSettings;
  backups: () => Promise<BackupService>;
  log: Log;
  /** A changed configuration is noticed after this; a backup that failed is tried again after it. */
  lookEveryMs?: number;
}

const LOOK_EVERY_MS = 60_000;

/**
 * Makes the backups while a kernel listens: incremental ones where the settings allow them, full ones as they are due. A
 * backup that somebody else made counts too. @returns ends it, and waits for a backup that is being made
 */
export function scheduleBackups({
  settings,
  backups,
  log,
  lookEveryMs = LOOK_EVERY_MS,
}: ScheduleDependencies): () => Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ended = new AbortController();
  const look = async (): Promise<number> => {
    if (!settings().enabled) return lookEveryMs;
    const service = await backups();
    const leftMs = (newest: BackupInfo | undefined): number =>
      nextBackupMs(settings(), newest && Date.parse(newest.metadata.created_at), Date.now()) - Date.now();
    const waitMs = leftMs((await service.list())[0]);
    if (waitMs > 0) return waitMs;
    const made = await service.createIf((newest) => leftMs(newest) <= 0, {
      incremental: true,
      description: "By the schedule",
      signal: ended.signal,
    });
    if (made !== undefined)
      log.info("kernel", "a scheduled backup was made", {
        backup: made.metadata.id,
        type: made.metadata.backup_type,
      });
    return 0;
  };
  const round = async (): Promise<void> => {
    const waitMs = await look().catch((error: unknown) => {
      if (!ended.signal.aborted) log.warn("kernel", "a scheduled backup failed", { error: messageOf(error) });
      return lookEveryMs;
    });
    if (!ended.signal.aborted)
      timer = setTimeout(
        () => {
          working = round();
        },
        Math.min(waitMs, lookEveryMs),
      ).unref();
  };
  let working = round();
  return async () => {
    ended.abort();
    clearTimeout(timer);
    await working;
  };
}
