/** The steps that a database has been through, beside those that this version knows. */
import type { Database } from "bun:sqlite";
import { SpellError } from "../core/errors.ts";
import type { Migration } from "./migrations.ts";

/** Names in their order; undefined for a database that has none yet. */
export function appliedSteps(db: Database): string[] | undefined {
  const table = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'migration'").get();
  if (table === null) return undefined;
  const rows = db.query("SELECT name FROM migration ORDER BY place").all() as { name: string }[];
  return rows.map(({ name }) => name);
}

/** @throws SpellError config for a database that has steps which this version does not know */
export function checkKnown(path: string, done: readonly string[], migrations: readonly Migration[]): void {
  const strange = done.find((name, i) => migrations[i]?.name !== name);
  if (strange === undefined) return;
  throw new SpellError(
    "config",
    `Cannot open the database: it was made by a newer version of llmspell (${strange}): ${path}`,
    { hint: "Use that version, or another data directory (LLMSPELL_HOME)" },
  );
}
