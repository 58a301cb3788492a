/** Expected: spec/agents-workflows-rag.md section 9.5. */
import { describe, expect, test } from "bun:test";
import { type Kept, planRetention, type RetentionPolicy } from "../../../src/state/backup/retention.ts";

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2030, 0, 31, 12);

/** `F0` is a full backup of now, `I3` an incremental one of three days ago on the backup named before it. */
function backups(...words: string[]): Kept[] {
  let parent: string | null = null;
  return words.map((word) => {
    const isIncremental = word.startsWith("I");
    const created = { id: word, isIncremental, parentId: isIncremental ? parent : null };
    parent = word;
    return { ...created, createdAtMs: NOW_MS - Number.parseFloat(word.slice(1)) * DAY_MS };
  });
}

const removed = (list: Kept[], policy: RetentionPolicy, spared: string[] = []) =>
  planRetention(list, policy, NOW_MS, spared).remove;

describe("retention", () => {
  test("by time keeps what is young", () => {
    expect(removed(backups("F40", "F31", "F5"), { type: "time", maxAgeMs: 30 * DAY_MS })).toEqual([
      "F31",
      "F40",
    ]);
  });

  test("by time keeps an old backup on which a young one builds", () => {
    expect(removed(backups("F40", "I35", "I5", "F4"), { type: "time", maxAgeMs: 30 * DAY_MS })).toEqual([]);
  });

  test("by count keeps the newest", () => {
    expect(removed(backups("F4", "F3", "F2", "F1"), { type: "count", maxCount: 2 })).toEqual(["F3", "F4"]);
  });

  test("by count takes incremental backups before full ones, and children before parents", () => {
    const list = backups("F3", "I2.4", "I2.3", "F1");
    expect(removed(list, { type: "count", maxCount: 3 })).toEqual(["I2.3"]);
    expect(removed(list, { type: "count", maxCount: 2 })).toEqual(["I2.3", "I2.4"]);
  });

  test("by count never breaks the chain of the newest", () => {
    expect(removed(backups("F4", "I3", "I2", "I1"), { type: "count", maxCount: 2 })).toEqual([]);
  });

  test("by importance keeps the newest full backup whatever its age", () => {
    expect(removed(backups("F90", "F60"), { type: "importance", from: "critical" })).toEqual(["F90"]);
    expect(removed(backups("F90", "I89.9", "I89.8"), { type: "importance", from: "important" })).toEqual([
      "I89.8",
      "I89.9",
    ]);
  });

  test("of several kinds keeps what any keeps, and the count has the last word", () => {
    const policy = (maxCount: number): RetentionPolicy => ({
      type: "composite",
      policies: [
        { type: "time", maxAgeMs: 30 * DAY_MS },
        { type: "importance", from: "critical" },
        { type: "count", maxCount },
      ],
    });
    expect(removed(backups("F90", "F60"), policy(10))).toEqual(["F90"]);
    expect(removed(backups("F4", "F3", "F2", "F1"), policy(3))).toEqual(["F4"]);
  });

  test("spares what it is told to", () => {
    const list = backups("F5", "I4", "F1", "F0.5");
    expect(removed(list, { type: "count", maxCount: 1 }, ["I4"])).toEqual(["F1"]);
  });

  test("whatever the chains, no backup that stays has lost one it builds on", () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let round = 0; round < 300; round++) {
      const list: Kept[] = [];
      for (let i = 0; i < 1 + random(14); i++) {
        const isIncremental = i > 0 && random(3) > 0;
        const parentId = isIncremental ? list[random(list.length)]!.id : null;
        list.push({ id: `b${i}`, isIncremental, parentId, createdAtMs: NOW_MS - (20 - i) * 3 * DAY_MS });
      }
      const maxCount = 1 + random(6);
      const { keep, remove } = planRetention(
        list,
        {
          type: "composite",
          policies: [
            { type: "time", maxAgeMs: random(60) * DAY_MS },
            { type: "importance", from: "critical" },
            { type: "count", maxCount },
          ],
        },
        NOW_MS,
      );
      expect([...keep, ...remove].sort()).toEqual(list.map(({ id }) => id).sort());
      for (const { id, parentId } of list)
        if (keep.includes(id) && parentId !== null) expect(keep).toContain(parentId);
      // A parent never goes before its child.
      for (const { id, parentId } of list)
        if (parentId !== null && remove.includes(id) && remove.includes(parentId))
          expect(remove.indexOf(id)).toBeLessThan(remove.indexOf(parentId));
    }
  });
});
