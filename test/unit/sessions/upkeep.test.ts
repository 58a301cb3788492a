/** What happens to sessions by itself, with their times moved instead of waited for. */
import { describe, expect, test } from "bun:test";
import type { Config } from "../../../src/config/schema.ts";
import { silentLog } from "../../../src/core/log.ts";
import type { Artifacts } from "../../../src/sessions/artifacts/artifacts.ts";
import type { Recording } from "../../../src/sessions/replay/recorder.ts";
import { Upkeep } from "../../../src/sessions/upkeep.ts";
import { configWith } from "../../support/config.ts";
import { type World, world } from "./support.ts";

type Settings = Config["runtime"]["sessions"];

/** Upkeep that only says what it would do. */
function upkeepOf(w: World, change: Partial<Settings> = {}) {
  const did: string[] = [];
  const settings = { ...configWith().current.runtime.sessions, ...change };
  const upkeep = new Upkeep({
    storage: w.storage,
    settings: () => settings,
    log: silentLog,
    artifacts: { contents: { collect: async () => 0 } } as unknown as Artifacts,
    recorder: { flush: async () => {}, unsaved: new Set() } as unknown as Recording,
    save: async () => {},
    end: async (_, reason) => void did.push(`end ${reason}`),
    warn: async (_, { reason, seconds_left }) => void did.push(`warn ${reason} ${seconds_left}`),
    archive: async () => void did.push("archive"),
    delete: async () => void did.push("delete"),
  });
  return { upkeep, did, settings };
}

const move = (w: World, column: string, secondsAgo: number) =>
  w.storage.write((db) => db.query(`UPDATE session SET ${column} = ?`).run(Date.now() - secondsAgo * 1000));

describe("An active session", () => {
  test.each<[string, number, number, string[]]>([
    ["is left alone while it is young and busy", 10, 10, []],
    ["is warned five minutes before it was idle for an hour", 3310, 3310, ["warn timeout 290"]],
    ["is warned one minute before", 3545, 3545, ["warn timeout 55"]],
    ["ends when it was idle for an hour", 3601, 3601, ["end timeout"]],
    ["is warned before its longest life is over", 86_200, 10, ["warn max_duration 200"]],
    ["ends then, however busy", 86_401, 10, ["end max_duration"]],
  ])("%s", async (_, startedAgo, updatedAgo, expected) => {
    await using w = await world();
    await w.sessions.create();
    await move(w, "started_at", startedAgo);
    await move(w, "updated_at", updatedAgo);
    const { upkeep, did } = upkeepOf(w);
    await upkeep.endIdle();
    expect(did).toEqual(expected);
  });

  test("is warned once for each mark, and again after it was used", async () => {
    await using w = await world();
    await w.sessions.create();
    const { upkeep, did } = upkeepOf(w);
    for (const idle of [3310, 3320, 3545, 3550, 10, 3350]) {
      await move(w, "updated_at", idle);
      await upkeep.endIdle();
    }
    expect(did).toEqual(["warn timeout 290", "warn timeout 55", "warn timeout 250"]);
  });

  test("has its grace, and is not warned from its beginning on where its life is short", async () => {
    await using w = await world();
    await w.sessions.create();
    const { upkeep, did, settings } = upkeepOf(w, {
      timeout_grace_seconds: 60,
      session_timeout_seconds: 200,
    });
    await upkeep.endIdle();
    await move(w, "updated_at", 210);
    await upkeep.endIdle();
    await move(w, "updated_at", 261);
    await upkeep.endIdle();
    expect(did).toEqual(["warn timeout 50", "end timeout"]);
    settings.max_duration_seconds = 0;
    await move(w, "updated_at", 1);
    await move(w, "started_at", 10_000_000);
    await upkeep.endIdle();
    expect(did).toHaveLength(2);
  });
});

describe("An ended session", () => {
  test.each<[string, number, Partial<Settings>, string[]]>([
    ["stays for thirty days", 2_591_000, {}, []],
    ["is removed then", 2_593_000, {}, ["delete"]],
    ["is removed earlier where that is set", 70, { retention_seconds: 60 }, ["delete"]],
    ["is archived where that is set", 2_593_000, { archive_expired: true }, ["archive"]],
    ["stays for ever where that is set", 2_593_000_000, { retention_seconds: 0 }, []],
  ])("%s", async (_, endedAgo, change, expected) => {
    await using w = await world();
    const { id } = await w.sessions.create();
    await w.sessions.complete(id);
    await move(w, "ended_at", endedAgo);
    const { upkeep, did } = upkeepOf(w, change);
    await upkeep.cleanUp();
    expect(did).toEqual(expected);
  });
});

test("Recorded steps leave after a week, but for the last hundred of a session", async () => {
  await using w = await world();
  const { id } = await w.sessions.create();
  w.sessions.setCurrent(id);
  const record = (count: number, daysAgo: number) => {
    for (let i = 0; i < count; i++)
      w.sessions.recorder.record({
        kind: "tool",
        name: `${daysAgo}`,
        input: {},
        output: null,
        startedMs: Date.now() - daysAgo * 86_400_000,
        durationMs: 1,
      });
  };
  record(90, 8);
  record(50, 6);
  expect(await w.sessions.replay.steps(id)).toHaveLength(140);
  const { upkeep, settings } = upkeepOf(w, { replay_retention_seconds: 0 });
  await upkeep.cleanUp();
  expect(await w.sessions.replay.steps(id)).toHaveLength(140);
  settings.replay_retention_seconds = 7 * 86_400;
  await upkeep.cleanUp();
  const left = await w.sessions.replay.steps(id);
  expect([left.length, left[0]!.step, left.at(-1)!.step]).toEqual([100, 41, 140]);
});

test("A warning is an event of the session", async () => {
  await using w = await world();
  const { id } = await w.sessions.create();
  await w.sessions.announce(id, "timeout_warning", { reason: "timeout", seconds_left: 55 });
  const event = w.events.at(-1)!;
  expect([event.type, event.data]).toEqual([
    "session.custom.timeout_warning",
    { session_id: id, reason: "timeout", seconds_left: 55 },
  ]);
});
