/** Scripts that are killed while they write: what was acknowledged is there, whole, and the database is sound. */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { uniform } from "../../support/random.ts";
import { between, check, checkSound, ended, type Figures, type Soak, type SoakOptions } from "../soak.ts";
import { killedKeys } from "./killed-keys.ts";
import { type Writer, writers } from "./writers.ts";

const GUARD_MS = 60_000;
/** From the first acknowledged write until the kill. */
const LONGEST_LIFE_MS = 400;

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 400 : 10;
  const totals = { acknowledged: 0, early: 0 };
  using box = new Sandbox();
  for (const { name, endless, found } of writers) {
    box.write(`${name}.lua`, endless);
    box.write(`${name}-found.lua`, found);
  }
  for (let round = 1; round <= rounds; round++) {
    // the short form meets each of them too
    const at = round <= writers.length ? round - 1 : Math.floor(random() * (writers.length + 1));
    const writer = writers[at];
    const what = `round ${round}, ${writer?.name ?? "keys"}`;
    const acknowledged =
      writer === undefined
        ? await killedKeys(box, random, what)
        : await killedScript(box, writer, round, random, what);
    totals.acknowledged += acknowledged;
    if (acknowledged === 0) totals.early++;
    checkDatabase(box, what, writer?.database?.replace("ROUND", String(round)));
  }
  return {
    rounds,
    killed: rounds,
    "acknowledged writes": totals.acknowledged,
    "killed before the first": totals.early,
    lost: 0,
    damaged: 0,
  };
}

/** @returns how many writes were acknowledged */
async function killedScript(
  box: Sandbox,
  writer: Writer,
  round: number,
  random: () => number,
  what: string,
): Promise<number> {
  const named = (text: string) => text.replaceAll("ROUND", String(round));
  box.write(`${writer.name}.toml`, named(writer.config ?? ""));
  for (const [name, content] of Object.entries(writer.files ?? {})) box.write(named(name), content);
  const lines = await killed(box, writer, round, random);
  await judge(box, writer, round, lines, what);
  return lines.length;
}

/** The lines that it wrote before it was killed at a random moment: from its start, or while it writes. */
async function killed(box: Sandbox, writer: Writer, round: number, random: () => number): Promise<string[]> {
  const proc = box.start(["-c", `${writer.name}.toml`, "run", `${writer.name}.lua`, "--", String(round)]);
  const early = random() < 0.1;
  const lifeMs = between(random, 0, early ? 100 : LONGEST_LIFE_MS);
  const kill = () => setTimeout(() => proc.kill("SIGKILL"), lifeMs);
  if (early) kill();
  const guard = setTimeout(() => proc.kill("SIGKILL"), GUARD_MS);
  let said = "";
  for await (const chunk of proc.stdout) {
    if (said === "" && !early) kill();
    said += new TextDecoder().decode(chunk);
  }
  clearTimeout(guard);
  const stderr = await new Response(proc.stderr).text();
  await proc.exited;
  check(proc.signalCode === "SIGKILL", `round ${round}: it ended by itself`, stderr);
  // What comes after the last line end was cut off on its way.
  return said.split("\n").slice(0, -1);
}

async function judge(
  box: Sandbox,
  writer: Writer,
  round: number,
  lines: string[],
  what: string,
): Promise<void> {
  const args = ["-c", `${writer.name}.toml`, "run", `${writer.name}-found.lua`, "--", String(round)];
  const end = await ended(box.start(args), GUARD_MS, `${what}: reading`);
  checkSound(end, what);
  check(end.code === 0, `${what}: what is there cannot be read`, end);
  writer.judge(lines, JSON.parse(end.stdout), what);
}

/** With SQLite itself, not with ours. @param other one that is not that of the data directory, below the working directory */
export function checkDatabase(box: Sandbox, what: string, other?: string): void {
  const path = other === undefined ? join(box.home, ".llmspell/llmspell.db") : join(box.cwd, other);
  if (!existsSync(path)) return;
  const db = new Database(path, { readwrite: true, create: false });
  const problems = db.query("PRAGMA integrity_check").values();
  db.close();
  check(Bun.deepEquals(problems, [["ok"]]), `${what}: the database is damaged`, problems);
}

export const kill: Soak = {
  name: "kill",
  description: "scripts that are killed at random moments while they write",
  run,
};
