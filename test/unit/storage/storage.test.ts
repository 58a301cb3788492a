import { Database } from "bun:sqlite";
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../../../src/core/errors.ts";
import { DATABASE_FILE, openStorage } from "../../../src/storage/storage.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-test-"));
afterEach(() => {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(directory, DATABASE_FILE + suffix), { force: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const FIRST = { name: "0001_first", sql: "CREATE TABLE item (name TEXT PRIMARY KEY)" };
const SECOND = { name: "0002_second", sql: "ALTER TABLE item ADD COLUMN size INTEGER NOT NULL DEFAULT 7" };

async function failure(work: Promise<unknown>): Promise<SpellError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof SpellError)) throw new Error(`No SpellError: ${String(error)}`);
  return error;
}

describe("The database", () => {
  test("is its owner's only and keeps what was written", async () => {
    const storage = await openStorage(directory, [FIRST]);
    await storage.write((db) => db.query("INSERT INTO item VALUES (?)").run("kept"));
    storage.close();
    expect(statSync(join(directory, DATABASE_FILE)).mode & 0o777).toBe(0o600);
    const plain = new Database(join(directory, DATABASE_FILE));
    expect(plain.query("SELECT name FROM item").all()).toEqual([{ name: "kept" }]);
    plain.close();
  });

  test("is brought up to date with what it holds", async () => {
    const before = await openStorage(directory, [FIRST]);
    await before.write((db) => db.query("INSERT INTO item VALUES (?)").run("old"));
    before.close();
    const after = await openStorage(directory, [FIRST, SECOND]);
    expect(after.read((db) => db.query("SELECT name, size FROM item").all())).toEqual([
      { name: "old", size: 7 },
    ]);
    after.close();
  });

  test("of a newer version is refused and left alone", async () => {
    (await openStorage(directory, [FIRST, SECOND])).close();
    const error = await failure(openStorage(directory, [FIRST]));
    expect(error.code).toBe("config");
    expect(error.message).toContain("0002_second");
  });

  test("undoes a write that fails half way", async () => {
    const storage = await openStorage(directory, [FIRST]);
    const broken = storage.write((db) => {
      db.query("INSERT INTO item VALUES (?)").run("half");
      throw new Error("no");
    });
    expect(broken).rejects.toThrow("no");
    expect(storage.read((db) => db.query("SELECT count(*) AS n FROM item").get())).toEqual({ n: 0 });
    storage.close();
  });

  test("is waited for while another process writes", async () => {
    const storage = await openStorage(directory, [FIRST]);
    const other = new Database(join(directory, DATABASE_FILE));
    other.run("BEGIN IMMEDIATE");
    setTimeout(() => other.run("COMMIT"), 150);
    await storage.write((db) => db.query("INSERT INTO item VALUES (?)").run("late"));
    expect(other.query("SELECT name FROM item").all()).toEqual([{ name: "late" }]);
    other.close();
    storage.close();
  });

  test("that is none, or is cut off, is named", async () => {
    (await openStorage(directory, [FIRST])).close();
    truncateSync(join(directory, DATABASE_FILE), 3000);
    expect((await failure(openStorage(directory, [FIRST, SECOND]))).message).toContain("it is damaged");
    writeFileSync(join(directory, DATABASE_FILE), "this is text and no database at all, for sure".repeat(20));
    expect((await failure(openStorage(directory, [FIRST]))).message).toContain("it is no database");
  });
});
