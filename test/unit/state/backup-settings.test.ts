/** What the keys of `[runtime.state_persistence.backup]` change. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { failure, temporaryHome } from "../../support/model-service.ts";
import { type TestState, testState } from "../../support/state.ts";

const backup = (keys: string) => `[runtime.state_persistence.backup]\n${keys}\n`;

const types = async ({ backups }: TestState) =>
  (await backups.list()).map(({ metadata }) => metadata.backup_type).reverse();

async function threeBackups(state: TestState): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await state.state.save("global", "k", i);
    await state.backups.create({ incremental: true });
  }
}

describe("Incremental backups", () => {
  test("build on each other", async () => {
    using home = temporaryHome();
    await using state = await testState(home);
    await threeBackups(state);
    expect(await types(state)).toEqual(["Full", "Incremental", "Incremental"]);
  });

  test("are full where incremental_enabled is false", async () => {
    using home = temporaryHome();
    await using state = await testState(home, backup("incremental_enabled = false"));
    await threeBackups(state);
    expect(await types(state)).toEqual(["Full", "Full", "Full"]);
  });

  test("begin a new chain when the full backup is as old as full_interval_seconds", async () => {
    using home = temporaryHome();
    await using state = await testState(home, backup("full_interval_seconds = 1"));
    await state.state.save("global", "k", 1);
    await state.backups.create();
    expect((await state.backups.create({ incremental: true })).metadata.backup_type).toBe("Incremental");
    await Bun.sleep(1100);
    expect((await state.backups.create({ incremental: true })).metadata.backup_type).toBe("Full");
  });
});

describe("Old backups", () => {
  /** Ids that are left after a backup, a pause and another one. */
  async function leftAfter(keys: string, pauseMs: number): Promise<boolean[]> {
    using home = temporaryHome();
    await using state = await testState(home, backup(keys));
    await state.state.save("global", "k", 1);
    const first = await state.backups.create();
    await Bun.sleep(pauseMs);
    const second = await state.backups.create();
    const left = (await state.backups.list()).map(({ metadata }) => metadata.id);
    return [first, second].map(({ metadata }) => left.includes(metadata.id));
  }

  test("leave at max_backup_age, and above max_backups", async () => {
    expect(await leftAfter("max_backup_age = 1", 1100)).toEqual([false, true]);
    expect(await leftAfter("max_backup_age = 1000", 1100)).toEqual([true, true]);
    expect(await leftAfter("max_backups = 1", 0)).toEqual([false, true]);
  });
});

describe("The content of a backup", () => {
  const TEXT = "plain words that can be read, ".repeat(2000);

  async function contentWith(keys: string): Promise<{ bytes: Buffer; compression: object }> {
    using home = temporaryHome();
    await using state = await testState(home, backup(keys));
    // each value is stored compressed by itself where it is long: these are short
    for (let i = 0; i < 2000; i++)
      await state.state.save("global", `k${i}`, TEXT.slice(i % 30, (i % 30) + 60));
    const { path, metadata } = await state.backups.create();
    return { bytes: readFileSync(path), compression: metadata.compression };
  }

  test("is compressed as compression_enabled, compression_type and compression_level say", async () => {
    const plain = await contentWith("compression_enabled = false");
    expect(plain.compression).toMatchObject({ algorithm: "none", level: 0 });
    expect(plain.bytes.includes("plain words that can be read")).toBe(true);
    const none = await contentWith('compression_type = "none"');
    expect(none.bytes.includes("plain words that can be read")).toBe(true);

    const fast = await contentWith("compression_level = 1");
    expect(fast.compression).toMatchObject({ algorithm: "zstd", level: 1 });
    expect(fast.bytes.includes("plain words that can be read")).toBe(false);
    expect(fast.bytes.length).toBeLessThan(plain.bytes.length / 4);
    const small = await contentWith("compression_level = 9");
    expect(small.compression).toMatchObject({ level: 9 });
    expect(small.bytes.length).toBeLessThan(fast.bytes.length);
    const lz4 = await contentWith('compression_type = "lz4"\ncompression_level = 9');
    expect(lz4.compression).toMatchObject({ algorithm: "zstd", level: 1 });
  });
});

describe("restore_timeout_seconds", () => {
  /** A restore whose values take long to decode, or whose safety backup takes long. */
  async function slowRestore(backupCurrent: boolean) {
    using home = temporaryHome();
    await using state = await testState(home, backup("restore_timeout_seconds = 1"));
    await state.state.save("global", "k", "old");
    const { metadata } = await state.backups.create();
    await state.state.save("global", "k", "new");
    const { decode } = state.state.raw;
    state.state.raw.decode = function slow(record) {
      Bun.sleepSync(1100);
      return decode.call(this, record);
    };
    const error = await failure(() => state.backups.restore(metadata.id, { backupCurrent }));
    state.state.raw.decode = decode;
    const left = await state.state.load("global", "k");
    const again = await state.backups.restore(metadata.id, { backupCurrent });
    rmSync(join(home.directory, "backups"), { recursive: true });
    return { error, left, restored: again.entriesRestored };
  }

  test.each([true, false])(
    "ends a restore that takes too long, and nothing has changed (%p)",
    async (saves) => {
      const { error, left, restored } = await slowRestore(saves);
      expect([error.code, error.message]).toEqual([
        "timeout",
        "Cannot finish the restore: it took longer than 1 s",
      ]);
      expect([left, restored]).toEqual(["new", 1]);
    },
  );

  test("ends one whose safety backup takes too long", async () => {
    using home = temporaryHome();
    await using state = await testState(home, backup("restore_timeout_seconds = 1"));
    await state.state.save("global", "k", "old");
    const { metadata } = await state.backups.create();
    await state.state.save("global", "k", "new");
    const { backend } = state.state.raw;
    const { list } = backend;
    backend.list = async (prefix) => {
      await Bun.sleep(1100);
      return list.call(backend, prefix);
    };
    const error = await failure(() => state.backups.restore(metadata.id));
    expect(error.message).toBe("Cannot finish the restore: it took longer than 1 s");
    backend.list = list;
    expect(await state.state.load("global", "k")).toBe("new");
    expect(await state.backups.list()).toHaveLength(1);
  });
});
