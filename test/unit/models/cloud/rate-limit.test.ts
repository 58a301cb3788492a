import { describe, expect, test } from "bun:test";
import {
  type RateClock,
  RateLimiter,
  RateLimiters,
  type RateSettings,
} from "../../../../src/models/providers/cloud/rate-limit.ts";
import { failure } from "../../../support/model-service.ts";

/** A clock that goes on only when told. */
class HandClock implements RateClock {
  private ms = 0;
  private readonly due: { atMs: number; then: () => void }[] = [];

  nowMs(): number {
    return this.ms;
  }

  after(ms: number, then: () => void) {
    const entry = { atMs: this.ms + ms, then };
    this.due.push(entry);
    return () => {
      const at = this.due.indexOf(entry);
      if (at !== -1) this.due.splice(at, 1);
    };
  }

  async to(ms: number): Promise<void> {
    for (;;) {
      for (let i = 0; i < 5; i++) await Promise.resolve();
      const next = this.due.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > ms) break;
      this.due.shift();
      this.ms = next.atMs;
      next.then();
    }
    this.ms = ms;
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }
}

const SETTINGS: RateSettings = {
  provider: "p",
  requestsPerMinute: 2,
  tokensPerMinute: undefined,
  waits: true,
};

function limited(settings: Partial<RateSettings> = {}) {
  const clock = new HandClock();
  const limiter = new RateLimiter(clock);
  const begun: [name: string, atMs: number][] = [];
  const ask = (
    name: string,
    tokens = 0,
    signal?: AbortSignal,
    own: Partial<RateSettings> | null = settings,
  ) =>
    limiter.acquire(tokens, own === null ? undefined : { ...SETTINGS, ...own }, signal).then((taken) => {
      begun.push([name, clock.nowMs()]);
      return taken;
    });
  return { clock, limiter, begun, ask };
}

describe("A limit of requests a minute", () => {
  test("holds in every window of a minute, and serves in order", async () => {
    const { clock, begun, ask } = limited();
    for (const name of ["a", "b", "c", "d", "e"]) void ask(name);
    await clock.to(30_000);
    void ask("f");
    await clock.to(300_000);
    expect(begun).toEqual([
      ["a", 0],
      ["b", 0],
      ["c", 60_000],
      ["d", 60_000],
      ["e", 120_000],
      ["f", 120_000],
    ]);
  });

  test("never lets more begin within any minute, whenever requests come", async () => {
    const { clock, begun, ask } = limited({ requestsPerMinute: 3 });
    for (let i = 0; i < 40; i++) {
      await clock.to(clock.nowMs() + ((i * 7919) % 11_000));
      void ask(String(i));
    }
    await clock.to(10_000_000);
    expect(begun.map(([name]) => Number(name))).toEqual(Array.from({ length: 40 }, (_, i) => i));
    for (const [i, [, atMs]] of begun.entries())
      if (i >= 3) expect(atMs - begun[i - 3]![1]).toBeGreaterThanOrEqual(60_000);
  });

  test("lets a request that is given up out of the queue, and the next take its place", async () => {
    const { clock, begun, ask } = limited({ requestsPerMinute: 1 });
    void ask("a");
    const giveUp = new AbortController();
    const waiting = ask("b", 0, giveUp.signal);
    void ask("c");
    giveUp.abort(new Error("enough"));
    expect(waiting).rejects.toThrow("enough");
    await clock.to(60_000);
    expect(begun).toEqual([
      ["a", 0],
      ["c", 60_000],
    ]);
  });

  test("fails at once where it is not to wait, naming rule and time", async () => {
    const { clock, ask } = limited({ requestsPerMinute: 1, waits: false });
    await ask("a");
    await clock.to(15_000);
    const error = await failure(() => ask("b"));
    expect([error.code, error.message]).toEqual([
      "limit",
      "Cannot call provider 'p': requests_per_minute is 1",
    ]);
    expect(error.hint).toContain("45 s");
  });
});

describe("A limit of tokens a minute", () => {
  test("counts what requests took, not what they were thought to take", async () => {
    const { clock, begun, ask } = limited({ requestsPerMinute: 100, tokensPerMinute: 1000 });
    const first = await ask("a", 900);
    void ask("b", 300);
    await clock.to(10);
    expect(begun.map(([name]) => name)).toEqual(["a"]);
    first.settle(100);
    await clock.to(20);
    expect(begun.map(([name]) => name)).toEqual(["a", "b"]);
  });

  test("lets small requests not overtake a large one", async () => {
    const { clock, begun, ask } = limited({ requestsPerMinute: 100, tokensPerMinute: 1000 });
    void ask("a", 600);
    void ask("large", 800);
    void ask("small", 10);
    await clock.to(120_000);
    expect(begun).toEqual([
      ["a", 0],
      ["large", 60_000],
      ["small", 60_000],
    ]);
  });

  test("lets a request that is larger than the limit go alone", async () => {
    const { clock, begun, ask } = limited({ requestsPerMinute: 100, tokensPerMinute: 1000 });
    void ask("a", 10);
    void ask("huge", 5000);
    void ask("b", 10);
    await clock.to(200_000);
    expect(begun).toEqual([
      ["a", 0],
      ["huge", 60_000],
      ["b", 120_000],
    ]);
  });
});

describe("A quota", () => {
  test("has one limiter, and settings that are changed hold from the next request on", async () => {
    const limiters = new RateLimiters();
    const once = { ...SETTINGS, requestsPerMinute: 1, waits: false };
    const acquire = (quota: string, settings = once) => limiters.get(quota).acquire(0, settings, undefined);
    await acquire("https://a key1");
    expect((await failure(() => acquire("https://a key1"))).code).toBe("limit");
    await acquire("https://a key1", { ...once, requestsPerMinute: 2 });
    expect((await failure(() => acquire("https://a key1", { ...once, requestsPerMinute: 2 }))).code).toBe(
      "limit",
    );
    await acquire("https://a key2");
  });

  test("counts every request of all who share it, each within its own limit", async () => {
    const { clock, begun, ask } = limited();
    void ask("unlimited", 0, undefined, null);
    void ask("four", 0, undefined, { requestsPerMinute: 4 });
    await clock.to(10);
    void ask("two", 0, undefined, { requestsPerMinute: 2 });
    void ask("also unlimited", 0, undefined, null);
    await clock.to(200_000);
    expect(begun).toEqual([
      ["unlimited", 0],
      ["four", 0],
      ["also unlimited", 10],
      ["two", 60_000],
    ]);
  });
});
