/** Many processes start at once on a fresh home; one is killed in the middle of its extraction. */
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  checkSound,
  ended,
  type Figures,
  filesBelow,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

const SCRIPT = `
local agent = Agent.builder():name("a"):model("local/spell-mini"):allow_tool("calculator"):build()
print(agent:execute("What is 12*7+3?").text)
`;
const AT_ONCE = 8;
const GUARD_MS = 120_000;
const HOUR_S = 3600;

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 40 : 2;
  let killed = 0;
  let halfWritten = 0;
  for (let i = 0; i < rounds; i++) {
    using box = new Sandbox();
    box.write("script.lua", SCRIPT);
    const procs = Array.from({ length: AT_ONCE }, () => box.start(["run", "script.lua"]));
    const victim = procs[Math.floor(random() * AT_ONCE)]!;
    const delayMs = between(random, 5, 700);
    const timer = setTimeout(() => victim.kill("SIGKILL"), delayMs);
    const what = `round ${i}, one killed after ${delayMs} ms`;
    const ends = await Promise.all(procs.map((proc) => ended(proc, GUARD_MS, what)));
    clearTimeout(timer);
    for (const [n, end] of ends.entries()) {
      if (procs[n] === victim && end.signal === "SIGKILL") {
        killed++;
        continue;
      }
      checkSound(end, what);
      check(
        end.code === 0 && end.stdout.includes("87") && end.stderr === "",
        `${what}: process ${n} failed`,
        end,
      );
    }
    halfWritten += await checkAfterwards(box, what);
  }
  return {
    rounds,
    "processes at once": AT_ONCE,
    "killed while running": killed,
    "half-written sets cleared": halfWritten,
  };
}

/** The next run works, and what the killed one left goes once it is old. Returns how much that was. */
async function checkAfterwards(box: Sandbox, what: string): Promise<number> {
  const left = partialSets(box);
  const longAgo = Date.now() / 1000 - 2 * HOUR_S;
  for (const path of left) utimesSync(path, longAgo, longAgo);
  const next = await ended(box.start(["run", "script.lua"]), GUARD_MS, `the run after ${what}`);
  check(next.code === 0 && next.stdout.includes("87"), `the run after ${what} fails`, next);
  check(partialSets(box).length === 0, `${what}: half-written sets stay`, partialSets(box));
  check(filesBelow(box.tmp).length === 0, `${what}: left in the temporary directory`, filesBelow(box.tmp));
  for (const kind of ["native", "models"]) {
    const sets = readdirSync(join(box.home, ".cache/llmspell", kind));
    check(sets.length === 1, `${what}: not one set of ${kind}`, sets);
  }
  return left.length;
}

function partialSets(box: Sandbox): string[] {
  const cache = join(box.home, ".cache/llmspell");
  return filesBelow(cache)
    .filter((path) => /(^|\/)partial-[^/]*$/.test(path))
    .map((path) => join(cache, path));
}

export const start: Soak = {
  name: "start",
  description: "eight processes at once on a fresh home, one of them killed",
  run,
};
