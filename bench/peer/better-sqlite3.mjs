/**
 * What `sqlite.ts` and `sqlite-row.ts` measure, with better-sqlite3 on Node: WAL, synchronous NORMAL. Prints the median of a
 * call in microseconds. Arguments: where it is installed; a path; `write`, `read` or `row`; calls.
 */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";

const BATCHES = 31;
const [directory, path, kind, count] = process.argv.slice(2);
const Database = createRequire(join(directory, "package.json"))("better-sqlite3");
const calls = Number(count);
const db = new Database(path);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = NORMAL");
db.exec("CREATE TABLE IF NOT EXISTS item (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
db.exec("CREATE TABLE IF NOT EXISTS line (id TEXT PRIMARY KEY, name TEXT, at INTEGER)");
const put = db.prepare("INSERT OR REPLACE INTO item VALUES (?, ?)");
const get = db.prepare("SELECT value FROM item WHERE key = ?");
const insert = db.prepare("INSERT INTO line VALUES (?, ?, ?)");
const row = db.transaction((id) => insert.run(id, "bench", Date.now()));
const value = { name: "spell", count: 42, ratio: 0.5, done: true };
put.run("bench", JSON.stringify(value));

const work = {
  write: (i) => put.run(`key${i % 100}`, JSON.stringify(value)),
  read: () => JSON.parse(get.get("bench").value),
  row: () => row.immediate(randomUUID()),
};
const call = work[kind];
const times = [];
for (let batch = 0; batch < BATCHES; batch++) {
  const started = performance.now();
  for (let i = 0; i < calls; i++) call(i);
  times.push(((performance.now() - started) * 1000) / calls);
}
console.log(times.sort((a, b) => a - b)[BATCHES >> 1]);
