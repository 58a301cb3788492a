import { describe, expect, test } from "bun:test";
import type { SpellError } from "../../../../src/core/errors.ts";
import { testHooks } from "../support.ts";
import { operation } from "./support.ts";

describe("rate limit", () => {
  const calls = async (hooks: Awaited<ReturnType<typeof testHooks>>["hooks"], n: number, more = {}) => {
    let passed = 0;
    for (let i = 0; i < n; i++)
      await hooks
        .around(operation({}, more), () => 1)
        .then(
          () => passed++,
          (error: SpellError) => expect(error.message).toContain("rate limit of"),
        );
    return passed;
  };

  test("lets the capacity through at once, then as much as comes back, and gathers the burst", async () => {
    const { hooks, clock } = await testHooks();
    await hooks.enableBuiltin("rate_limit");
    expect(await calls(hooks, 150)).toBe(100);
    clock.ms += 1000;
    expect(await calls(hooks, 50)).toBe(10);
    clock.ms += 3_600_000 - 1;
    expect(await calls(hooks, 200)).toBe(150);
  });

  test("each component has a bucket of its own, or all have one, or each value of a key", async () => {
    const other = { component: { type: "Tool", name: "other" } };
    for (const [options, passed] of [
      [{ capacity: 2 }, 2],
      [{ capacity: 2, strategy: "Global" }, 0],
      [{ capacity: 2, strategy: "Custom", key: "{component.type}" }, 0],
      [{ capacity: 2, strategy: "PerKey", key: "component.name" }, 2],
    ] as const) {
      const { hooks } = await testHooks();
      await hooks.enableBuiltin("rate_limit", options);
      expect(await calls(hooks, 3)).toBe(2);
      expect(await calls(hooks, 3, other)).toBe(passed);
    }
  });

  test("Delay waits for a token, Redirect runs another target, ReturnCached gives the last result of the same call", async () => {
    const delay = await testHooks({ now: () => performance.now() });
    await delay.hooks.enableBuiltin("rate_limit", {
      capacity: 1,
      burst: 0,
      refill_per_second: 50,
      action: "Delay",
    });
    const startMs = performance.now();
    expect(await calls(delay.hooks, 4)).toBe(4);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(50);

    const redirect = await testHooks({ targets: { agent: async (name) => `${name} answers` } });
    await redirect.hooks.enableBuiltin("rate_limit", {
      capacity: 1,
      action: "Redirect",
      redirect_to: "agent:bob",
    });
    await calls(redirect.hooks, 1);
    expect(await redirect.hooks.around(operation(), () => "own")).toBe("bob answers");

    const cached = await testHooks();
    await cached.hooks.enableBuiltin("rate_limit", { capacity: 2, action: "ReturnCached" });
    let n = 0;
    const ask = (params: object) => cached.hooks.around(operation({ params }), () => ++n);
    expect([await ask({ a: 1 }), await ask({ a: 1 }), await ask({ a: 1 })]).toEqual([1, 2, 2]);
    expect(ask({ a: 2 })).rejects.toThrow("rate limit of 2 calls is reached");
  });

  test("leaves its figures in the metadata and warns once when it is near", async () => {
    const { hooks, add, lines } = await testHooks();
    await hooks.enableBuiltin("rate_limit", { capacity: 10 });
    const left: unknown[] = [];
    await add(
      ({ metadata }) =>
        void left.push(metadata["X-RateLimit-Limit"], metadata["X-RateLimit-Remaining"]) as undefined,
    );
    await calls(hooks, 9);
    expect(left.slice(-2)).toEqual(["10", "1"]);
    expect(lines.filter(({ message }) => message === "rate limit is near")).toHaveLength(1);
  });

  test("warns from the share in use that is set", async () => {
    const { hooks, lines } = await testHooks();
    await hooks.enableBuiltin("rate_limit", { capacity: 10, warn_share: 0.5 });
    const warnings = () => lines.filter(({ message }) => message === "rate limit is near").length;
    await calls(hooks, 4);
    expect(warnings()).toBe(0);
    await calls(hooks, 1);
    expect(warnings()).toBe(1);
  });

  test("keeps so many buckets: the least used is forgotten, and full again", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("rate_limit", { capacity: 1, burst: 0, refill_per_second: 0, max_buckets: 2 });
    const use = (name: string) => calls(hooks, 1, { component: { type: "Tool", name } });
    expect([await use("a"), await use("b"), await use("a"), await use("c")]).toEqual([1, 1, 0, 1]);
    expect(hooks.builtinReport("rate_limit")).toMatchObject({ buckets: 2 });
    expect([await use("a"), await use("b")]).toEqual([0, 1]);
  });

  test("forgets a bucket that was not used for so long", async () => {
    const { hooks, clock } = await testHooks();
    await hooks.enableBuiltin("rate_limit", {
      capacity: 1,
      burst: 0,
      refill_per_second: 0,
      bucket_ttl_secs: 10,
    });
    expect(await calls(hooks, 2)).toBe(1);
    clock.ms += 10_000;
    expect(await calls(hooks, 1)).toBe(0);
    clock.ms += 10_001;
    expect(await calls(hooks, 1)).toBe(1);
  });
});
