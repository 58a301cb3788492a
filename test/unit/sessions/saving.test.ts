/** Saving sessions, by a call and by itself, also where it fails. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { failure, type World, world } from "./support.ts";

const FULL = "Cannot write the database: the disk is full";
/** A fraction of a second, which the configuration itself does not take. */
const SOON = 0.02;

/** The next writes fail. @returns how many did */
function failWrites(storage: Storage, times: number): () => number {
  const { write } = storage;
  let failed = 0;
  storage.write = async (work) => {
    if (failed < times) {
      failed++;
      throw new SpellError("io", FULL);
    }
    return write.call(storage, work) as never;
  };
  return () => failed;
}

const savingEvery = (seconds: number) =>
  world({
    change(settings) {
      settings.persist_interval_seconds = seconds;
    },
  });

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !holds(); i++) await Bun.sleep(10);
}

const saves = (w: World) => w.events.filter(({ type }) => type === "session.saved").length;
const savedAt = (w: World, id: string) =>
  w.storage.read(
    (db) => db.query("SELECT saved_at FROM session WHERE id = ?").get(id) as { saved_at: number | null },
  ).saved_at;

describe("A session that did something", () => {
  test("is saved by itself after the interval, once", async () => {
    await using w = await savingEvery(SOON);
    const { id } = await w.sessions.create();
    await w.sessions.setValue(id, "k", 1);
    await until(() => saves(w) > 0);
    expect(savedAt(w, id)).toBeGreaterThan(0);
    await Bun.sleep(100);
    expect(saves(w)).toBe(1);
    await w.sessions.setValue(id, "k", 2);
    await until(() => saves(w) > 1);
    expect(saves(w)).toBe(2);
  });

  test("is not, where the interval is 0", async () => {
    await using w = await savingEvery(0);
    const { id } = await w.sessions.create();
    await w.sessions.setValue(id, "k", 1);
    await Bun.sleep(150);
    expect([saves(w), savedAt(w, id)]).toEqual([0, null]);
  });

  test("is saved later where the disk was full, with all that it did", async () => {
    await using w = await savingEvery(SOON);
    const { id } = await w.sessions.create();
    await w.sessions.setValue(id, "k", 1);
    const failed = failWrites(w.storage, 3);
    await until(() => saves(w) > 0);
    expect([failed(), saves(w)]).toEqual([3, 1]);
    expect(await w.sessions.replay.steps(id)).toHaveLength(1);
  });

  test("stays unsaved where saving fails or a hook forbids it, and is saved at the end", async () => {
    await using w = await savingEvery(0);
    const { id } = await w.sessions.create();
    await w.sessions.setValue(id, "k", 1);
    failWrites(w.storage, 1);
    expect((await failure(w.sessions.save(id))).message).toBe(FULL);
    w.answer.result = { type: "cancel", reason: "not now" };
    expect((await failure(w.sessions.save(id))).message).toContain("a hook cancelled it: not now");
    w.answer.result = { type: "continue" };
    expect(savedAt(w, id)).toBeNull();
    await w.restart();
    expect(savedAt(w, id)).toBeGreaterThan(0);
    expect(await w.sessions.replay.steps(id)).toHaveLength(1);
  });

  test("and was then deleted by another process is forgotten", async () => {
    await using w = await savingEvery(SOON);
    const [gone, kept] = [await w.sessions.create(), await w.sessions.create()];
    for (const { id } of [gone, kept]) await w.sessions.setValue(id, "k", 1);
    await w.storage.write((db) => db.query("DELETE FROM session WHERE id = ?").run(gone.id));
    const { unsaved } = w.sessions.recorder as unknown as { unsaved: Set<string> };
    await until(() => unsaved.size === 0);
    expect([unsaved.size, saves(w)]).toEqual([0, 1]);
    expect(savedAt(w, kept.id)).toBeGreaterThan(0);
  });
});
