import type { Database } from "bun:sqlite";

const MOST_PROBLEMS = 100;

/** What SQLite finds wrong with the pages, indexes and references of a database, in its own words; empty where sound. */
export function integrityProblems(db: Database): string[] {
  const pages = db.query(`PRAGMA integrity_check(${MOST_PROBLEMS})`).values() as [string][];
  const references = db.query("PRAGMA foreign_key_check").all() as { table: string; parent: string }[];
  return [
    ...pages.map(([problem]) => problem).filter((problem) => problem !== "ok"),
    ...references.map(({ table, parent }) => `a row of ${table} names a row of ${parent} that is not there`),
  ];
}
