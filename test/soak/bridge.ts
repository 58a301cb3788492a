/** Calls the bridge with functions and handles until a leak would show. */
import { harness } from "../unit/engine/harness.ts";
import { check, type Figures, grownBy, type Soak, type SoakOptions } from "./soak.ts";

const ROUND = `
local calls = ...
for i = 1, calls // 4 do
  Host.echo({ i, "x" .. i })
  Host.apply(function(a) return a end, i)
  Host.counter("c" .. i % 100):add(1)
  Host.describe(function() return i end)
end
for _ = 1, 3 do Host.slowly(1) collectgarbage() end
return math.floor(collectgarbage("count") * 1024)
`;

const ROUNDS = 20;
/** The JavaScript heaps of two threads find their size in the rounds before this one. */
const WARM_ROUND = 6;
/** What the Lua heap may differ by between two looks: a collector's tables come in powers of two. */
const HEAP_BOUND = 256 << 10;
/** What a process may grow by between two looks without a leak: the JavaScript heap breathes. */
const RESIDENT_BOUND = 48 << 20;
/** In the short form the heaps are still finding their size. */
const SHORT_RESIDENT_BOUND = 160 << 20;

async function run({ full }: SoakOptions): Promise<Figures> {
  const step = full ? 100_000 : 5_000;
  const h = harness();
  const round = async (): Promise<number> => {
    const outcome = await h.run(ROUND.replace("...", String(step)));
    check(outcome.error === undefined, "The script failed", outcome.error?.message);
    Bun.gc(true);
    return outcome.value as number;
  };
  try {
    const heaps: number[] = [];
    const residents: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      heaps.push(await round());
      residents.push(process.memoryUsage.rss());
    }
    const grown = (looks: number[]) => grownBy(looks.slice(WARM_ROUND));
    const figures = {
      "calls across the bridge": step * ROUNDS,
      "Lua heap grew by (bytes)": grown(heaps),
      "process grew by (KiB)": grown(residents) >> 10,
    };
    check(grown(heaps) <= HEAP_BOUND, "The Lua heap grows", figures);
    check(grown(residents) <= (full ? RESIDENT_BOUND : SHORT_RESIDENT_BOUND), "The process grows", figures);
    return figures;
  } finally {
    await h.engine.dispose();
  }
}

export const bridge: Soak = {
  name: "bridge",
  description: "calls, callbacks, handles and function references across the bridge leave memory flat",
  run,
};
