/** What a row written by bun:sqlite in a transaction of its own takes (WAL, synchronous NORMAL): microseconds, the median. */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BATCHES = 21;
const ROWS = 50;

const directory = mkdtempSync(join(tmpdir(), "llmspell-bench-"));
const db = new Database(join(directory, "peer.db"));
db.run("PRAGMA journal_mode = WAL");
db.run("PRAGMA synchronous = NORMAL");
db.run("CREATE TABLE item (id TEXT PRIMARY KEY, name TEXT, at INTEGER)");
const insert = db.query("INSERT INTO item VALUES (?, ?, ?)");
const write = db.transaction((id: string) => insert.run(id, "bench", Date.now()));
const times: number[] = [];
for (let batch = 0; batch < BATCHES; batch++) {
  const started = performance.now();
  for (let i = 0; i < ROWS; i++) write.immediate(crypto.randomUUID());
  times.push(((performance.now() - started) * 1000) / ROWS);
}
times.sort((a, b) => a - b);
console.log(times[BATCHES >> 1]);
db.close();
rmSync(directory, { recursive: true });
