/**
 * The limit of state: the same value as JSON text in a plain bun:sqlite database with the same settings (WAL, NORMAL), from
 * the thread that has it open. Prints the median of a call in microseconds. Arguments: a path, `write` or `read`, calls.
 */
import { Database } from "bun:sqlite";

const BATCHES = 31;
const [path = ":memory:", kind = "read", count = "500"] = process.argv.slice(2);
const calls = Number(count);
const db = new Database(path, { create: true });
db.run("PRAGMA journal_mode = WAL");
db.run("PRAGMA synchronous = NORMAL");
db.run("CREATE TABLE IF NOT EXISTS item (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
const put = db.query("INSERT OR REPLACE INTO item VALUES (?, ?)");
const get = db.query("SELECT value FROM item WHERE key = ?");
const value = { name: "spell", count: 42, ratio: 0.5, done: true };
put.run("bench", JSON.stringify(value));

const work: Record<string, (i: number) => unknown> = {
  write: (i) => put.run(`key${i % 100}`, JSON.stringify(value)),
  read: () => JSON.parse((get.get("bench") as { value: string }).value),
};
const call = work[kind]!;
const times: number[] = [];
for (let batch = 0; batch < BATCHES; batch++) {
  const started = performance.now();
  for (let i = 0; i < calls; i++) call(i);
  times.push(((performance.now() - started) * 1000) / calls);
}
console.log(times.sort((a, b) => a - b)[BATCHES >> 1]);
