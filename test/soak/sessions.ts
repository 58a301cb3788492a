/**
 * Two processes store, share and delete artifacts of one data directory, both killed by SIGKILL at random moments: what was
 * acknowledged is there and whole, counts and sums are right, and after a collection no file is left that nothing names.
 */
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Contents } from "../../src/sessions/artifacts/contents.ts";
import { openStorage } from "../../src/storage/storage.ts";
import { Sandbox } from "../support/cli.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  checkSound,
  type Ended,
  ended,
  type Figures,
  filesBelow,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

const CONFIG = `[runtime.sessions]
enabled = true
storage_backend = "sqlite"
max_sessions = 100000
max_artifacts_per_session = 100000
`;

/** Contents by number: both processes make the same ones, so that they share, race for and drop each other's. */
const CONTENT = `
local made = {}
function content(k)
  if made[k] then return made[k] end
  local length = ({0, 100, 20000, 200000, 300000, 400000})[k % 6 + 1]
  local parts, state = {}, k + 1
  for i = 1, length // 4 do
    state = (state * 6364136223846793005 + 1442695040888963407)
    parts[i] = string.pack("<I4", state >> 32)
  end
  made[k] = table.concat(parts)
  return made[k]
end
`;

const STORE = `
dofile("content.lua")
local who, seed = ARGS[1], tonumber(ARGS[2])
math.randomseed(seed)
local id = Session.create({name = who})
print("session", id)
local mine = {}
for i = 1, 100000 do
  local k = math.random(0, 11)
  local a = Artifact.store(id, "note", "n" .. i, content(k))
  print("stored", id, a.name, a.content_hash, k)
  mine[#mine + 1] = a
  if #mine > 4 then
    local gone = table.remove(mine, math.random(#mine))
    print("deleting", id, gone.name)
    Artifact.delete(id, gone)
    print("deleted", id, gone.name)
  end
end`;

const VERIFY = `
dofile("content.lua")
local bad, there = {}, 0
for line in io.lines("expected.txt") do
  local id, name, hash, k, state = line:match("^(%S+) (%S+) (%S+) (%d+) (%S+)$")
  local ok, got = pcall(Artifact.get, id, {content_hash = hash, session_id = id, sequence = 1, name = name})
  if ok and got.content ~= content(tonumber(k)) then bad[#bad + 1] = line .. " has another content" end
  if not ok and (state == "kept" or not tostring(got):find("Artifact not found")) then bad[#bad + 1] = line .. " " .. tostring(got) end
  if ok and state == "gone" then bad[#bad + 1] = line .. " is still there" end
  if ok then there = there + 1 end
end
print(there)
print(table.concat(bad, "\\n"))`;

interface Expected {
  id: string;
  name: string;
  hash: string;
  content: string;
  /** `doubtful`: it was being deleted when the process was killed. */
  state: "kept" | "gone" | "doubtful";
}

/** What a process had acknowledged; its last line may be cut off. */
function acknowledged({ stdout }: Ended): Expected[] {
  const known = new Map<string, Expected>();
  for (const line of stdout.split("\n").slice(0, -1)) {
    const [word, id, name, hash, content] = line.split("\t");
    if (word === "stored")
      known.set(name!, { id: id!, name: name!, hash: hash!, content: content!, state: "kept" });
    if (word === "deleting") known.get(name!)!.state = "doubtful";
    if (word === "deleted") known.get(name!)!.state = "gone";
  }
  return [...known.values()];
}

const GUARD_MS = 120_000;

/** Kills a process by SIGKILL some milliseconds after its output has so many lines. */
async function killAfter(proc: ReturnType<Sandbox["start"]>, lines: number, ms: number): Promise<Ended> {
  const stderr = new Response(proc.stderr).text();
  const guard = setTimeout(() => proc.kill("SIGKILL"), GUARD_MS);
  const decoder = new TextDecoder();
  let stdout = "";
  let counted = false;
  for await (const chunk of proc.stdout) {
    stdout += decoder.decode(chunk, { stream: true });
    if (counted || stdout.split("\n").length <= lines) continue;
    counted = true;
    setTimeout(() => proc.kill("SIGKILL"), ms);
  }
  clearTimeout(guard);
  const code = await proc.exited;
  return {
    code,
    signal: proc.signalCode === null ? null : String(proc.signalCode),
    stdout,
    stderr: await stderr,
  };
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 250 : 5;
  using box = new Sandbox();
  const env = { LLMSPELL_CONFIG: "c.toml" };
  for (const [name, text] of Object.entries({
    "c.toml": `${CONFIG}[runtime.security]\nallow_file_access = true\n`,
    "content.lua": CONTENT,
    "store.lua": STORE,
    "verify.lua": VERIFY,
  }))
    box.write(name, text);
  const expected: Expected[] = [];
  for (let round = 0; round < rounds; round++) {
    const both = ["a", "b"].map((who) => {
      const script = ["run", "store.lua", "--", `${who}${round}`, String(between(random, 1, 1_000_000))];
      return box.start(script, { env });
    });
    // slow machines start slowly: the moment counts from what has been acknowledged
    const done = both.map((proc) => killAfter(proc, between(random, 1, 60), random() * 40));
    for (const [i, end] of (await Promise.all(done)).entries()) {
      checkSound(end, `round ${round}, process ${i}`);
      check(end.stderr === "", `round ${round}, process ${i}: it had something to tell`, end.stderr);
      expected.push(...acknowledged(end));
    }
  }
  check(expected.length > rounds, "the processes stored too little to tell anything", {
    stored: expected.length,
  });
  box.write(
    "expected.txt",
    expected
      .map(({ id, name, hash, content, state }) => `${id} ${name} ${hash} ${content} ${state}\n`)
      .join(""),
  );
  const verified = await ended(
    box.start(["run", "verify.lua"], { env }),
    600_000,
    "looking at what was stored",
  );
  const [there, ...bad] = verified.stdout.trim().split("\n");
  check(verified.code === 0 && bad.join("") === "", "what was acknowledged is not as it was", verified);
  const figures = await examine(join(box.home, ".llmspell"));
  return {
    kills: 2 * rounds,
    "artifacts acknowledged": expected.length,
    "of them there": Number(there),
    ...figures,
  };
}

/** The data directory from within: sums, and files against rows. */
async function examine(data: string): Promise<Figures> {
  const root = join(data, "artifacts");
  const storage = await openStorage(data);
  const before = contentFiles(root).length;
  const collected = await new Contents(storage, root).collect();
  storage.close();
  const db = new Database(join(data, "llmspell.db"));
  const value = (sql: string) => Object.values(db.query(sql).get() as Record<string, unknown>)[0];
  check(value("PRAGMA integrity_check") === "ok", "the database is damaged");
  check(db.query("PRAGMA foreign_key_check").all().length === 0, "a row names one that is not there");
  const wrong = value(
    `SELECT count(*) FROM session WHERE artifact_count != (SELECT count(*) FROM artifact WHERE session_id = session.id)
       OR total_artifact_size != (SELECT coalesce(sum(size), 0) FROM artifact WHERE session_id = session.id)`,
  );
  check(wrong === 0, "counts of sessions are wrong", { wrong });
  check(
    value("SELECT stored_size FROM artifact_total") ===
      value("SELECT coalesce(sum(stored_size), 0) FROM artifact_content"),
    "the sum of all contents is wrong",
  );
  const unused = value(
    "SELECT count(*) FROM artifact_content WHERE hash NOT IN (SELECT content_hash FROM artifact)",
  );
  check(unused === 0, "contents are kept that nothing names", { unused });
  const rows = db
    .query("SELECT hash, is_compressed, stored_size FROM artifact_content WHERE data IS NULL ORDER BY hash")
    .all() as { hash: string; is_compressed: number; stored_size: number }[];
  db.close();
  const named = rows.map(
    ({ hash, is_compressed }) => `${hash.slice(0, 2)}/${hash.slice(2)}${is_compressed === 1 ? ".zst" : ""}`,
  );
  const files = contentFiles(root);
  check(Bun.deepEquals(files, named.sort()), "files and rows differ", { files, named });
  for (const [i, { stored_size }] of rows.entries()) {
    const length = readFileSync(join(root, named[i]!)).length;
    check(length === stored_size, `${named[i]} has another size`, { length, stored_size });
  }
  return { "files of contents": files.length, "left over files removed": before - files.length, collected };
}

const contentFiles = (root: string): string[] =>
  filesBelow(root).filter((path) => /^[\da-f]{2}\/[\da-f]{62}/.test(path));

export const sessions: Soak = {
  name: "sessions",
  description: "artifacts of two processes that are killed at random moments",
  run,
};
