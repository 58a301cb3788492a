import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { SpellError } from "../../../src/core/errors.ts";
import { Log, silentLog } from "../../../src/core/log.ts";
import { nextBackupMs, type ScheduleSettings, scheduleBackups } from "../../../src/state/backup/schedule.ts";
import { temporaryHome } from "../../support/model-service.ts";
import { testState } from "../../support/state.ts";

/** A Wednesday, local time. */
const at = (day: number, hours: number, minutes = 0) => new Date(2026, 3, day, hours, minutes).getTime();
const settings = (more: Partial<ScheduleSettings> = {}): ScheduleSettings => ({
  enabled: true,
  interval_seconds: 3600,
  weekly_days: [],
  ...more,
});
const shown = (ms: number) =>
  new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

describe("The next backup is due", () => {
  const daily = { daily_time: "03:30" };
  test.each<[string, Partial<ScheduleSettings>, number | undefined, number, string]>([
    ["at once where there is none", {}, undefined, at(15, 12), "2026-04-15T12:00"],
    ["an interval after the newest", {}, at(15, 11, 30), at(15, 12), "2026-04-15T12:30"],
    ["at once where that is over", {}, at(14, 1), at(15, 12), "2026-04-15T12:00"],
    [
      "at midnight before the next of its days",
      { weekly_days: ["Friday"] },
      at(15, 11, 30),
      at(15, 12),
      "2026-04-17T00:00",
    ],
    ["today at its time", daily, at(14, 3, 31), at(15, 1), "2026-04-15T03:30"],
    ["tomorrow where today's is made", daily, at(15, 3, 31), at(15, 12), "2026-04-16T03:30"],
    ["as the last that was missed", daily, at(12, 3, 31), at(15, 12), "2026-04-15T03:30"],
    [
      "as the last that was missed, of its days",
      { ...daily, weekly_days: ["monday"] },
      at(10, 3),
      at(15, 12),
      "2026-04-13T03:30",
    ],
    [
      "next week, of its days",
      { ...daily, weekly_days: ["monday"] },
      at(13, 4),
      at(15, 12),
      "2026-04-20T03:30",
    ],
  ])("%s", (_, more, newest, now, expected) => {
    expect(shown(nextBackupMs(settings(more), newest, now))).toBe(expected);
  });
});

describe("The schedule", () => {
  test("makes a full backup, then incremental ones, and leaves out what is not due", async () => {
    using home = temporaryHome();
    await using state = await testState(home);
    const schedule = settings({ interval_seconds: 3600 });
    /** Until there are so many, or long enough for one more. */
    const run = async (wanted: number) => {
      const stop = scheduleBackups({
        settings: () => schedule,
        backups: async () => state.backups,
        log: silentLog,
      });
      for (let i = 0; i < 100 && (await state.backups.list()).length < wanted; i++) await Bun.sleep(20);
      schedule.interval_seconds = 3600;
      await Bun.sleep(50);
      await stop();
    };
    await state.state.save("global", "k", 1);
    await run(1);
    await run(1);
    expect((await state.backups.list()).map(({ metadata }) => metadata.backup_type)).toEqual(["Full"]);
    schedule.interval_seconds = 0;
    await run(2);
    const made = (await state.backups.list()).map(({ metadata }) => metadata.backup_type);
    expect([made[0], made.at(-1)]).toEqual(["Incremental", "Full"]);
    Object.assign(schedule, { enabled: false, interval_seconds: 0 });
    await run(made.length + 1);
    expect(await state.backups.list()).toHaveLength(made.length);
  });

  test("goes on after a backup that failed", async () => {
    using home = temporaryHome();
    await using state = await testState(home);
    const said: string[] = [];
    const stop = scheduleBackups({
      settings: () => settings(),
      backups: async () => {
        throw new Error("disk full");
      },
      log: { warn: (_: string, message: string) => said.push(message) } as unknown as typeof silentLog,
    });
    await Bun.sleep(1);
    await stop();
    expect(said).toEqual(["a scheduled backup failed"]);
    expect(await state.backups.list()).toEqual([]);
  });

  test("tries again after a failure, says each, and leaves nothing half-written", async () => {
    using home = temporaryHome();
    await using state = await testState(home);
    await state.state.save("global", "k", 1);
    const { backend } = state.state.raw;
    const { list } = backend;
    let failures = 2;
    backend.list = (prefix) => {
      if (failures-- > 0) throw new SpellError("io", "Cannot read the database: the disk reports an error");
      return list.call(backend, prefix);
    };
    const said: unknown[] = [];
    const stop = scheduleBackups({
      settings: () => settings(),
      backups: async () => state.backups,
      log: new Log(({ level, message, fields }) => said.push([level, message, fields?.error]), "info"),
      lookEveryMs: 20,
    });
    for (let i = 0; i < 200 && (await state.backups.list()).length === 0; i++) await Bun.sleep(10);
    await Bun.sleep(60);
    await stop();
    expect(said.slice(0, 2)).toEqual(
      Array(2).fill([
        "warn",
        "a scheduled backup failed",
        "Cannot read the database: the disk reports an error",
      ]),
    );
    expect(said.slice(2)).toEqual([["info", "a scheduled backup was made", undefined]]);
    const [made, ...others] = await state.backups.list();
    expect(others).toEqual([]);
    expect((await state.backups.validate(made!.metadata.id)).isValid).toBe(true);
    const files = readdirSync(state.backupDirectory).filter((name) => name.startsWith("backup_"));
    expect(files.sort()).toEqual(["backup", "meta"].map((end) => `${made!.metadata.id}.${end}`));
  });

  test("that is stopped while it makes a backup makes none, and says nothing", async () => {
    using home = temporaryHome();
    await using state = await testState(home);
    await state.state.save("global", "k", 1);
    const { backend } = state.state.raw;
    const { list } = backend;
    const reading = Promise.withResolvers<void>();
    backend.list = async (prefix) => {
      reading.resolve();
      await Bun.sleep(50);
      return list.call(backend, prefix);
    };
    const said: string[] = [];
    const stop = scheduleBackups({
      settings: () => settings(),
      backups: async () => state.backups,
      log: new Log(({ message }) => said.push(message), "info"),
    });
    await reading.promise;
    await stop();
    expect(said).toEqual([]);
    expect(readdirSync(state.backupDirectory).filter((name) => name.startsWith("backup_"))).toEqual([]);
  });
});
