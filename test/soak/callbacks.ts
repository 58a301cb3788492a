/** Callbacks in great numbers, nested as deep as they may, failing and stopped: right results, flat memory, no hang. */

import { uniform } from "../support/random.ts";
import { harness } from "../unit/engine/harness.ts";
import { between, check, type Figures, grownBy, type Soak, type SoakOptions } from "./soak.ts";

const GUARD_MS = 300_000;
/** After these the JavaScript heaps of two threads have found their size. */
const WARM_ROUNDS = 5;
/** What the process may grow by after them. */
const RESIDENT_BOUND = 48 << 20;
/** In the short form they are still finding it. */
const SHORT_RESIDENT_BOUND = 160 << 20;

type Harness = ReturnType<typeof harness>;
type Outcome = Awaited<ReturnType<Harness["run"]>>;

/** A run that does not end fails the soak instead of hanging it. */
async function guarded(h: Harness, code: string, what: string): Promise<Outcome> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: it still ran after ${GUARD_MS} ms`)), GUARD_MS);
  });
  try {
    return await Promise.race([h.run(code), hung]);
  } finally {
    clearTimeout(timer);
  }
}

async function value(h: Harness, code: string, what: string): Promise<unknown> {
  const { error, value: result } = await guarded(h, code, what);
  check(error === undefined, `${what}: it failed`, error?.message);
  return result;
}

/** `count` callbacks asked for in one turn of the kernel; every result arrives, in order. */
async function flood(h: Harness, count: number): Promise<void> {
  const what = `${count} callbacks at once`;
  const code = `
    local seen, sum = 0, 0
    local got = Host.apply_many(function(i) seen = seen + 1 sum = sum + i return i end, ${count})
    return got .. " " .. seen .. " " .. sum`;
  const expected = `${count} ${count} ${(count * (count - 1)) / 2}`;
  check((await value(h, code, what)) === expected, what, "results are missing");
}

/** The same, where each callback calls the kernel again. */
async function nestedFlood(h: Harness, count: number): Promise<void> {
  const what = `${count} callbacks at once that call back`;
  const code = `
    local seen = 0
    local got = Host.apply_many(function(i) local one = Host.apply(function(a) return Host.slowly(a) end, 1) seen = seen + one return i end, ${count})
    return got .. " " .. seen`;
  check((await value(h, code, what)) === `${count} ${count}`, what, "results are missing");
}

/** Nesting without an end is an error that names the limit; the VM goes on. Returns the depth that was reached. */
async function nesting(h: Harness): Promise<number> {
  const code = `
    local deepest = 0
    local function down(n) deepest = math.max(deepest, n) return Host.apply(down, n + 1) end
    local ok, message = pcall(down, 1)
    return { ok = ok, message = tostring(message), deepest = deepest }`;
  const result = (await value(h, code, "nesting without an end")) as Record<string, unknown>;
  check(result.ok === false, "nesting without an end ended well", result);
  check(
    /stack|nest|deep/i.test(String(result.message)),
    "the message does not say what was too deep",
    result,
  );
  return result.deepest as number;
}

async function failing(h: Harness, count: number): Promise<void> {
  const code = `
    local caught = 0
    for i = 1, ${count} do
      local ok, e = pcall(Host.apply, function() error({ i = i }) end)
      if not ok then caught = caught + 1 end
      local _ = coroutine.wrap(function() return pcall(Host.apply, function() Host.fail("no") end) end)()
    end
    return caught`;
  check((await value(h, code, "callbacks that raise")) === count, "an error was lost");
}

/** Stopped at a random moment of a flood, the script ends with that reason and the next one runs. */
async function stopped(h: Harness, delayMs: number): Promise<void> {
  const what = `a flood stopped after ${delayMs} ms`;
  const timer = setTimeout(() => h.engine.interrupt(), delayMs);
  const outcome = await guarded(
    h,
    "while true do Host.apply_many(function(i) return Host.slowly(i) end, 500) end",
    what,
  );
  clearTimeout(timer);
  check(outcome.error?.code === "interrupted", what, outcome);
  check((await value(h, "return 6 * 7", `the run after ${what}`)) === 42, `the run after ${what}`);
}

/** Functions and handles that are dropped without a word. */
const DROPS = `
for i = 1, 2000 do
  local c = Host.counter("d" .. i)
  Host.describe(function() return c end)
  coroutine.wrap(function() Host.apply(function() coroutine.yield = coroutine.yield end) end)()
end
collectgarbage() collectgarbage() return true`;

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 15 : 3;
  const atOnce = full ? 100_000 : 10_000;
  const h = harness();
  try {
    const looks: number[] = [];
    let depth = 0;
    for (let i = 0; i < rounds; i++) {
      await flood(h, atOnce);
      await nestedFlood(h, atOnce / 10);
      depth = await nesting(h);
      await failing(h, 1000);
      await value(h, DROPS, "dropped functions and handles");
      for (let n = 0; n < 3; n++) await stopped(h, between(random, 1, 60));
      Bun.gc(true);
      if (i >= (full ? WARM_ROUNDS : 0)) looks.push(process.memoryUsage.rss());
    }
    const grown = grownBy(looks);
    const figures = {
      rounds,
      "callbacks pending at once": atOnce,
      "callbacks in all": rounds * (atOnce + atOnce / 5 + 3000),
      "deepest nesting": depth,
      "process grew by (KiB)": grown >> 10,
    };
    check(grown <= (full ? RESIDENT_BOUND : SHORT_RESIDENT_BOUND), "The process grows", figures);
    return figures;
  } finally {
    await h.engine.dispose();
  }
}

export const callbacks: Soak = {
  name: "callbacks",
  description: "100,000 callbacks pending at once, nested, failing, dropped and stopped",
  run,
};
