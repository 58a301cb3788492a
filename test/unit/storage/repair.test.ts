import { Database } from "bun:sqlite";
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repairStorage } from "../../../src/storage/repair.ts";
import { DATABASE_FILE, openStorage } from "../../../src/storage/storage.ts";

const directory = mkdtempSync(join(tmpdir(), "llmspell-test-"));
const path = join(directory, DATABASE_FILE);
beforeEach(() => {
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const MIGRATIONS = [
  {
    name: "0001_all",
    sql: `CREATE TABLE numbered (id INTEGER PRIMARY KEY, text TEXT NOT NULL, bytes BLOB);
      CREATE TABLE keyed (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID;
      CREATE VIRTUAL TABLE words USING fts5(text);`,
  },
];
const ROWS = 400;

/** A database whose log is empty, so that all of it is in the one file. */
async function filled(): Promise<void> {
  const storage = await openStorage(directory, MIGRATIONS);
  await storage.write((db) => {
    for (let i = 1; i <= ROWS; i++) {
      db.query("INSERT INTO numbered VALUES (?, ?, ?)").run(
        i,
        `row ${i} `.repeat(20),
        new Uint8Array([i % 256]),
      );
      db.query("INSERT INTO keyed VALUES (?, ?)").run(`k${i}`, `row ${i}`);
      db.query("INSERT INTO words VALUES (?)").run(`spell number${i}`);
    }
  });
  storage.close();
}

/** Overwrites the page on which a text stands. */
function damage(text: string): void {
  const bytes = readFileSync(path);
  const page = Math.floor(bytes.indexOf(text) / 4096);
  expect(page).toBeGreaterThan(0);
  bytes.fill(0xaa, page * 4096, (page + 1) * 4096);
  writeFileSync(path, bytes);
}

describe("Repairing the database", () => {
  test("changes nothing where it is sound", async () => {
    await filled();
    const before = readFileSync(path);
    expect(await repairStorage(directory, MIGRATIONS)).toEqual({
      repaired: false,
      problems: [],
      tables: [],
      damaged: null,
    });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("keeps every row that is on a sound page, of all kinds of tables", async () => {
    await filled();
    damage("row 200 row 200");
    const { repaired, tables, damaged } = await repairStorage(directory, MIGRATIONS);
    expect(repaired).toBe(true);
    const kept = Object.fromEntries(tables.map((table) => [table.name, table.kept]));
    expect(kept.keyed).toBe(ROWS);
    expect(kept.numbered).toBeGreaterThan(ROWS - 40);
    expect(kept.numbered).toBeLessThan(ROWS);
    const db = new Database(path);
    expect(db.query("PRAGMA integrity_check").values()).toEqual([["ok"]]);
    const rows = db.query("SELECT id, text, bytes FROM numbered").all() as {
      id: number;
      text: string;
      bytes: Uint8Array;
    }[];
    for (const { id, text, bytes } of rows)
      expect([text, bytes[0]]).toEqual([`row ${id} `.repeat(20), id % 256]);
    expect(db.query("SELECT text FROM words WHERE words MATCH 'number399'").values()).toEqual([
      ["spell number399"],
    ]);
    expect(db.query("SELECT name FROM migration").values()).toEqual([["0001_all"]]);
    db.close();
    expect(readFileSync(damaged!).includes("row 1 row 1")).toBe(true);
    expect(readdirSync(directory).filter((name) => name.startsWith(".repair"))).toEqual([]);
  });

  test("makes an empty database of a file that is none", async () => {
    writeFileSync(path, "no database at all ".repeat(500));
    const { repaired, damaged } = await repairStorage(directory, MIGRATIONS);
    expect(repaired).toBe(true);
    expect(readFileSync(damaged!, "utf8")).toStartWith("no database at all");
    const storage = await openStorage(directory, MIGRATIONS);
    expect(storage.read((db) => db.query("SELECT count(*) AS n FROM numbered").get())).toEqual({ n: 0 });
    storage.close();
  });

  test("is refused while somebody has it open", async () => {
    await filled();
    const storage = await openStorage(directory, MIGRATIONS);
    expect(repairStorage(directory, MIGRATIONS)).rejects.toThrow("another program has it open");
    storage.close();
  }, 20_000);

  test("needs a database", async () => {
    expect(repairStorage(directory, MIGRATIONS)).rejects.toThrow("there is none");
  });
});
