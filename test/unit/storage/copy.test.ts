/** A copy of a database: it begins as the other one stands, and both go their own way. */
import { Database } from "bun:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCopy } from "../../../src/storage/copy.ts";
import { DATABASE_FILE, openStorage, type Storage } from "../../../src/storage/storage.ts";
import { failure } from "../../support/model-service.ts";

const root = mkdtempSync(join(tmpdir(), "llmspell-copy-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let place: string;
beforeEach(() => {
  place = mkdtempSync(join(root, "data-"));
});

const write = (storage: Storage, key: string, size = 1) =>
  storage.write((db) =>
    db
      .query(
        `INSERT INTO state (key, value, version, timestamp_ms, schema_version) VALUES (?, ?, 1, 0, '1.0.0')
         ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      )
      .run(key, new Uint8Array(size)),
  );
const keys = (storage: Storage) =>
  storage.read((db) => db.query("SELECT key FROM state ORDER BY key").values().flat());

describe("A copy of a database", () => {
  test("holds what the other one holds, also what is still in its log, and not what is written there later", async () => {
    const real = await openStorage(place);
    await write(real, "a");
    const copy = await openCopy(place);
    await write(real, "later");
    await write(copy, "own");
    expect([keys(copy), keys(real)]).toEqual([
      ["a", "own"],
      ["a", "later"],
    ]);
    copy.close();
    expect(keys(real)).toEqual(["a", "later"]);
    real.close();
  });

  test("leaves no file, though it is written much, and none while it is open", async () => {
    (await openStorage(place)).close();
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("llmspell-dry-run-"));
    const copy = await openCopy(place);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("llmspell-dry-run-"))).toEqual(before);
    // its log is begun anew several times
    for (let i = 0; i < 600; i++) await write(copy, `k${i % 100}`, 100_000);
    expect(keys(copy).length).toBe(100);
    expect(copy.read((db) => db.query("PRAGMA integrity_check").values())).toEqual([["ok"]]);
    copy.close();
    expect(readdirSync(place)).toEqual([DATABASE_FILE]);
  });

  test("of none is an empty one, and makes none", async () => {
    const copy = await openCopy(place);
    await write(copy, "a");
    expect(keys(copy)).toEqual(["a"]);
    copy.close();
    expect(readdirSync(place)).toEqual([]);
  });

  test("of a damaged one, or of a newer version's, is refused", async () => {
    const newer = new Database(join(place, DATABASE_FILE));
    newer.run(
      "CREATE TABLE migration (place INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)",
    );
    newer.run("INSERT INTO migration VALUES (1, 'of the future', '')");
    newer.close();
    expect((await failure(() => openCopy(place))).message).toContain("made by a newer version");
    await Bun.write(
      join(place, DATABASE_FILE),
      "this is no database at all, and it is long enough to be read",
    );
    const error = await failure(() => openCopy(place));
    expect([error.code, error.message]).toEqual(["io", expect.stringContaining("Cannot copy the database")]);
  });
});
