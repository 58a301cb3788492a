/** Backups over a real database. Expected: spec/agents-workflows-rag.md section 9.5. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { failure, temporaryHome } from "../../support/model-service.ts";
import { contentOf, testState } from "../../support/state.ts";

const KEY = Buffer.alloc(32, 7).toString("base64");
const ENCRYPTED = "[runtime.state_persistence.encryption]\nenabled = true\n";

/** One of every kind of value that a script can save. */
const VALUES = {
  text: "é\u0000\ud83d\ude00",
  bytes: new Uint8Array([0, 255, 128]),
  integer: 2n ** 63n - 1n,
  float: 0.1,
  negativeZero: -0,
  infinity: Number.POSITIVE_INFINITY,
  boolean: false,
  empty: {},
  list: [1, "two", [3]],
  tagged: { $bytes: "no" },
  long: "long ".repeat(1000),
};

describe("A backup", () => {
  test("gives every kind of value back as it was, with its time", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    for (const [key, value] of Object.entries(VALUES)) await test.state.save("user:bob", key, value);
    const before = await test.state.entries();
    const { metadata } = await test.backups.create();
    await test.state.clear();
    await test.state.save("global", "later", 1);
    expect(await test.backups.restore(metadata.id)).toMatchObject({ entriesRestored: before.length });
    const after = await test.state.entries();
    const timed = ({ storageKey, value, timestampMs }: (typeof after)[number]) => ({
      storageKey,
      value,
      timestampMs,
    });
    expect(after.map(timed)).toEqual(before.map(timed));
  });

  test("that is incremental holds what was written and what is gone since its parent, and no more", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    for (let i = 0; i < 50; i++) await test.state.save("global", `k${i}`, i);
    const full = await test.backups.create();
    await test.state.save("global", "k1", "changed");
    await test.state.save("global", "new", true);
    await test.state.delete("global", "k2");
    const first = await test.backups.create({ incremental: true });
    expect(first.metadata).toMatchObject({
      backup_type: "Incremental",
      parent_id: full.metadata.id,
      stats: { total_entries: 2, removed_entries: 1, state_entries: 50 },
    });
    const second = await test.backups.create({ incremental: true });
    expect(second.metadata.stats).toMatchObject({ total_entries: 0, removed_entries: 0 });
    const expected = await contentOf(test.state);
    await test.state.clear();
    await test.backups.restore(second.metadata.id);
    expect(await contentOf(test.state)).toEqual(expected);
    // An older member of the chain gives the state of its own time.
    await test.backups.restore(full.metadata.id);
    expect(await test.state.load("global", "k2")).toBe(2);
    expect(await test.state.load("global", "new")).toBeUndefined();
  });

  test("that has nothing whole to build on is full", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.state.save("global", "a", 1);
    expect((await test.backups.create({ incremental: true })).metadata.backup_type).toBe("Full");
    const second = await test.backups.create({ incremental: true });
    expect(second.metadata.backup_type).toBe("Incremental");
    const bytes = readFileSync(second.path);
    bytes[20]! ^= 1;
    writeFileSync(second.path, bytes);
    expect((await test.backups.create({ incremental: true })).metadata.backup_type).toBe("Full");
  });

  test.each([
    ["not compressed", "[runtime.state_persistence.backup]\ncompression_enabled = false"],
    ["compressed", ""],
    ["encrypted", ENCRYPTED],
  ])("with one altered byte, at every position of both files, is found out (%s)", async (_what, toml) => {
    using home = temporaryHome({ LLMSPELL_STATE_KEY: KEY });
    await using test = await testState(home, toml);
    await test.state.save("global", "a", "value");
    await test.state.save("user:bob", "b", [1, 2, 3]);
    const { path, metadata } = await test.backups.create({ description: "described" });
    expect(await test.backups.validate(metadata.id)).toMatchObject({ isValid: true, errors: [] });
    for (const file of [path, path.replace(/backup$/, "meta")]) {
      const whole = readFileSync(file);
      for (let at = 0; at < whole.length; at++) {
        const altered = Buffer.from(whole);
        altered[at]! ^= 1 << (at % 8);
        writeFileSync(file, altered);
        const { isValid, errors } = await test.backups.validate(metadata.id);
        expect([at, isValid, errors.length > 0]).toEqual([at, false, true]);
      }
      for (const changed of [whole.subarray(0, -1), Buffer.concat([whole, Buffer.from("\n")])]) {
        writeFileSync(file, changed);
        expect((await test.backups.validate(metadata.id)).isValid).toBe(false);
      }
      writeFileSync(file, whole);
    }
    expect((await test.backups.validate(metadata.id)).isValid).toBe(true);
  });

  test("that is damaged is not restored, and nothing changes", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.state.save("global", "a", "old");
    const full = await test.backups.create();
    await test.state.save("global", "b", "old");
    const child = await test.backups.create({ incremental: true });
    await test.state.save("global", "a", "new");
    const whole = readFileSync(full.path);
    const damaged = Buffer.from(whole);
    damaged[whole.length - 6]! ^= 0x10;
    writeFileSync(full.path, damaged);
    for (const { metadata } of [full, child]) {
      expect(await failure(() => test.backups.restore(metadata.id))).toMatchObject({ code: "io" });
      expect(await contentOf(test.state)).toEqual({ "global:a": "new", "global:b": "old" });
    }
    rmSync(full.path.replace(/backup$/, "meta"));
    expect((await failure(() => test.backups.restore(child.metadata.id))).message).toContain(
      "on which it builds, is missing or damaged",
    );
  });

  test("of encrypted state shows neither keys nor values, and opens with its key only", async () => {
    using home = temporaryHome({ LLMSPELL_STATE_KEY: KEY });
    let id: string;
    {
      await using test = await testState(home, ENCRYPTED);
      await test.state.save("user:somebody", "place", "in the open");
      const created = await test.backups.create();
      id = created.metadata.id;
      expect(created.metadata.encryption).toEqual({ algorithm: "AES-256-GCM" });
      const text = readFileSync(created.path, "latin1");
      for (const secret of ["somebody", "in the open"]) expect(text).not.toContain(secret);
      await test.state.clear();
      await test.backups.restore(id);
      expect(await test.state.load("user:somebody", "place")).toBe("in the open");
    }
    for (const [key, toml] of [
      [Buffer.alloc(32, 8).toString("base64"), ENCRYPTED],
      ["", ""],
    ] as const) {
      home.env.LLMSPELL_STATE_KEY = key;
      await using test = await testState(home, toml);
      const error = await failure(() => test.backups.restore(id, { backupCurrent: false }));
      expect(error).toMatchObject({ code: "config" });
      expect(error.message).toStartWith("Cannot read the backup: the key it is encrypted with is not set");
      expect(await test.backups.validate(id)).toMatchObject({ isValid: false, errors: [error.message] });
    }
  });

  test("leaves nothing behind when it is interrupted", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.state.save("global", "a", 1);
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    await expect(test.backups.create({ signal: stop.signal })).rejects.toThrow("stopped");
    expect(readdirSync(test.backupDirectory)).toEqual([".lock"]);
    expect(test.events.map(({ type }) => type)).toContain("backup.failed");
  });

  test("belongs to its owner alone", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    const { path } = await test.backups.create();
    for (const file of [path, path.replace(/backup$/, "meta")])
      expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("removes what a killed process left of another", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.backups.create();
    writeFileSync(join(test.backupDirectory, "backup_1_00.backup.x.tmp"), "half");
    await test.backups.create();
    expect(readdirSync(test.backupDirectory).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("written to a file of its own is full, whole, and restored from there", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.state.save("global", "a", 1);
    await test.backups.create();
    const output = join(home.directory, "mine.backup");
    const created = await test.backups.create({ output, incremental: true });
    expect(created.metadata.backup_type).toBe("Full");
    expect(await test.backups.list()).toHaveLength(1);
    expect((await failure(() => test.backups.create({ output }))).code).toBe("already_exists");
    await test.state.clear();
    await test.backups.restore(output);
    expect(await contentOf(test.state)).toEqual({ "global:a": 1 });
  });
});

describe("Restoring", () => {
  test("saves the present state first, so that it can be undone", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.state.save("global", "a", "old");
    const { metadata } = await test.backups.create();
    await test.state.save("global", "a", "new");
    const { safetyBackupId } = await test.backups.restore(metadata.id);
    expect(await contentOf(test.state)).toEqual({ "global:a": "old" });
    await test.backups.restore(safetyBackupId!);
    expect(await contentOf(test.state)).toEqual({ "global:a": "new" });
  });

  test("as a trial changes nothing and makes no backup", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await test.state.save("global", "a", "old");
    const { metadata } = await test.backups.create();
    await test.state.save("global", "a", "new");
    expect(await test.backups.restore(metadata.id, { dryRun: true })).toMatchObject({
      dryRun: true,
      entriesRestored: 1,
      safetyBackupId: undefined,
    });
    expect(await contentOf(test.state)).toEqual({ "global:a": "new" });
    expect(await test.backups.list()).toHaveLength(1);
  });

  test("works while another process reads and writes: it sees the old state or the new one", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    await using other = await testState(home);
    for (let i = 0; i < 200; i++) await test.state.save("global", `k${i}`, "old");
    const { metadata } = await test.backups.create();
    await test.state.import(
      Array.from({ length: 200 }, (_, i) => ({ scope: "global", key: `k${i}`, value: "new" })),
      true,
    );
    const restoring = test.backups.restore(metadata.id);
    let isOver = false;
    void restoring.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const seen = new Set(Object.values(await contentOf(other.state)));
      expect([...seen]).toHaveLength(1);
      await Bun.sleep(0);
    }
    expect(new Set(Object.values(await contentOf(other.state)))).toEqual(new Set(["old"]));
  });

  test("says what it does in events", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    const { metadata } = await test.backups.create();
    await test.backups.restore(metadata.id);
    const types = [...new Set(test.events.map(({ type }) => type))];
    for (const type of [
      "backup.started",
      "backup.completed",
      "restore.started",
      "restore.progress",
      "restore.completed",
    ])
      expect(types).toContain(type);
    expect(test.events.find(({ type }) => type === "backup.completed")!.data).toMatchObject({
      backup_id: metadata.id,
      entry_count: 0,
    });
  });
});

describe("Old backups", () => {
  const keepTwo = "[runtime.state_persistence.backup]\nmax_backups = 2\n";

  test("go after each new one, never one on which another builds", async () => {
    using home = temporaryHome();
    await using test = await testState(home, keepTwo);
    await test.state.save("global", "a", 1);
    for (let i = 0; i < 5; i++) await test.backups.create();
    expect(await test.backups.list()).toHaveLength(2);
    for (let i = 0; i < 5; i++) {
      await test.state.save("global", "a", i);
      await test.backups.create({ incremental: true });
      for (const { metadata } of await test.backups.list())
        expect((await test.backups.validate(metadata.id)).errors).toEqual([]);
    }
    expect((await test.backups.list()).length).toBeLessThanOrEqual(3);
  });

  test("are not deleted by hand either while another builds on them", async () => {
    using home = temporaryHome();
    await using test = await testState(home);
    const full = await test.backups.create();
    const child = await test.backups.create({ incremental: true });
    expect(await failure(() => test.backups.delete(full.metadata.id))).toMatchObject({
      code: "invalid_argument",
      hint: `Delete ${child.metadata.id} first`,
    });
    await test.backups.delete(child.metadata.id);
    await test.backups.delete(full.metadata.id);
    expect(readdirSync(test.backupDirectory)).toEqual([".lock"]);
    expect((await failure(() => test.backups.delete("../../etc/passwd"))).code).toBe("not_found");
  });
});
