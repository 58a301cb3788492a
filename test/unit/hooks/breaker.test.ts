import { describe, expect, test } from "bun:test";
import { BREAKER_PRESETS, CircuitBreaker } from "../../../src/hooks/breaker.ts";
import { input, testHooks } from "./support.ts";

/** The table of spec/kernel.md section 17.5. */
const TABLE = [
  ["default", 3, 2, 30_000, 15_000, 50, 2],
  ["production", 2, 1, 20_000, 10_000, 25, 1],
  ["conservative", 5, 3, 60_000, 30_000, 100, 3],
] as const;

describe.each(TABLE)(
  "the %s circuit breaker",
  (preset, failures, successes, windowMs, openMs, slowMs, slow) => {
    function breaker() {
      const clock = { ms: 1000 };
      return { clock, breaker: new CircuitBreaker(BREAKER_PRESETS[preset], () => clock.ms) };
    }

    test(`opens at failure ${failures} and stays open for ${openMs} ms`, () => {
      const { clock, breaker: b } = breaker();
      for (let i = 1; i < failures; i++) b.failed();
      expect(b.allows()).toBe(true);
      b.failed();
      expect(b.state).toBe("open");
      clock.ms += openMs - 1;
      expect(b.allows()).toBe(false);
      clock.ms += 1;
      expect(b.allows()).toBe(true);
      expect(b.state).toBe("half_open");
    });

    test(`closes after ${successes} successes; a failure before that opens it again`, () => {
      const { clock, breaker: b } = breaker();
      for (let i = 0; i < failures; i++) b.failed();
      clock.ms += openMs;
      for (let i = 1; i < successes; i++) {
        expect(b.allows()).toBe(true);
        b.succeeded(0);
        expect(b.state).toBe("half_open");
      }
      expect(b.allows()).toBe(true);
      b.failed();
      expect(b.state).toBe("open");
      clock.ms += openMs;
      for (let i = 0; i < successes; i++) {
        expect(b.allows()).toBe(true);
        b.succeeded(0);
      }
      expect(b.state).toBe("closed");
      for (let i = 1; i < failures; i++) b.failed();
      expect(b.state).toBe("closed");
    });

    test(`forgets failures after ${windowMs} ms`, () => {
      const { clock, breaker: b } = breaker();
      for (let i = 0; i < 20; i++) {
        for (let n = 1; n < failures; n++) b.failed();
        expect(b.state).toBe("closed");
        clock.ms += windowMs;
      }
      expect(b.state).toBe("closed");
    });

    test(`opens at slow call ${slow} within the window; slow is ${slowMs} ms`, () => {
      const { clock, breaker: b } = breaker();
      for (let i = 0; i < 20; i++) b.succeeded(slowMs - 1);
      for (let i = 1; i < slow; i++) b.succeeded(slowMs);
      expect(b.state).toBe("closed");
      clock.ms += windowMs;
      for (let i = 1; i < slow; i++) b.succeeded(slowMs);
      expect(b.state).toBe("closed");
      b.succeeded(slowMs);
      expect(b.state).toBe("open");
    });
  },
);

describe("a hook behind its circuit breaker", () => {
  test("is passed over while it is open and tried again after that", async () => {
    const { hooks, add, clock } = await testHooks();
    let fails = true;
    let calls = 0;
    await add(() => {
      calls++;
      if (fails) throw new Error("broken");
      return undefined;
    });
    for (let i = 0; i < 10; i++) await hooks.run(input());
    expect(calls).toBe(3);
    expect(hooks.figures()[0]).toMatchObject({ count: 3, failures: 3, skipped: 7, breaker: "open" });
    clock.ms += 15_000;
    fails = false;
    await hooks.run(input());
    expect(hooks.figures()[0]).toMatchObject({ breaker: "half_open" });
    await hooks.run(input());
    await hooks.run(input());
    expect(calls).toBe(6);
    expect(hooks.figures()[0]).toMatchObject({ breaker: "closed" });
  });

  test("one hook's breaker leaves the others alone, and `off` is none", async () => {
    const { hooks, add } = await testHooks();
    let other = 0;
    let unguarded = 0;
    await add(() => Promise.reject(new Error("broken")));
    await add(() => void other++ as undefined);
    await add(
      () => {
        unguarded++;
        throw new Error("broken");
      },
      { breaker: "off" },
    );
    for (let i = 0; i < 10; i++) await hooks.run(input());
    expect([other, unguarded]).toEqual([10, 10]);
  });

  test("of a script counts slow calls only where it was chosen", async () => {
    for (const [spec, explicit, skipped] of [
      [{}, [], 2],
      [{ language: "lua" }, [], 0],
      [{ language: "lua", breaker: "default" }, [], 2],
      [{ language: "lua" }, ["hooks.circuit_breaker"], 2],
    ] as const) {
      const { hooks, add, clock } = await testHooks({ explicit: [...explicit] });
      await add(() => {
        clock.ms += 60;
        return undefined;
      }, spec);
      for (let i = 0; i < 4; i++) await hooks.run(input());
      expect(hooks.figures()[0]!.skipped).toBe(skipped);
    }
  });

  test("is the one that hooks.circuit_breaker names", async () => {
    const skipped: number[] = [];
    for (const preset of ["default", "production", "conservative", "off"] as const) {
      const { hooks, add } = await testHooks({
        change: (section) => {
          section.circuit_breaker = preset;
        },
      });
      await add(() => Promise.reject(new Error("broken")));
      for (let i = 0; i < 30; i++) await hooks.run(input());
      skipped.push(hooks.figures()[0]!.skipped);
    }
    // passed over after 3, 2 and 5 failures
    expect(skipped).toEqual([27, 28, 25, 0]);
  });

  test("takes the share that is set as hooks.circuit_breaker_threshold", async () => {
    for (const [threshold, passedOver] of [
      [0.9, false],
      [0.1, true],
    ] as const) {
      const { hooks, add, clock } = await testHooks({
        change: (section) => {
          section.circuit_breaker_threshold = threshold;
        },
        explicit: ["hooks.circuit_breaker_threshold"],
      });
      await add(() => {
        clock.ms += 0.5;
        return undefined;
      });
      // operations are measured by the real clock
      const work = () => {
        const endMs = performance.now() + 1;
        while (performance.now() < endMs);
      };
      for (let i = 0; i < 60; i++)
        await hooks.around(
          { before: "BeforeToolExecution", component: { type: "Tool", name: "t" }, data: {} },
          work,
        );
      expect(hooks.figures()[0]!.skipped > 0).toBe(passedOver);
    }
  });

  test("opens when its share of the time is above hooks.circuit_breaker_threshold, where that is set", async () => {
    for (const [explicit, skipped] of [
      [["hooks.circuit_breaker_threshold"], true],
      [[], false],
    ] as const) {
      const { hooks, add, clock } = await testHooks({ explicit: [...explicit] });
      await add(() => {
        clock.ms += 20;
        return undefined;
      });
      for (let i = 0; i < 60; i++)
        await hooks.around(
          { before: "BeforeToolExecution", component: { type: "Tool", name: "t" }, data: {} },
          () => undefined,
        );
      expect(hooks.figures()[0]!.skipped > 0).toBe(skipped);
    }
  });

  test("runs at most hooks.rate_limit_per_minute times a minute, where that is set", async () => {
    const { hooks, add, clock } = await testHooks({
      change: (section) => {
        section.rate_limit_per_minute = 5;
      },
      explicit: ["hooks.rate_limit_per_minute"],
    });
    await add(() => undefined);
    for (let i = 0; i < 8; i++) await hooks.run(input());
    expect(hooks.figures()[0]).toMatchObject({ count: 5, skipped: 3 });
    clock.ms += 60_000;
    await hooks.run(input());
    expect(hooks.figures()[0]).toMatchObject({ count: 6, skipped: 3 });
  });
});

describe("figures of a hook", () => {
  test("are count, sum, extremes, mean and nearest-rank percentiles", async () => {
    const { hooks, add, clock } = await testHooks();
    let next = 0;
    await add(
      () => {
        next++;
        clock.ms += next;
        return undefined;
      },
      { breaker: "off" },
    );
    for (let i = 0; i < 100; i++) await hooks.run(input());
    const figures = hooks.figures()[0]!;
    expect(figures).toMatchObject({ count: 100, totalMs: 5050, minMs: 1, maxMs: 100, avgMs: 50.5 });
    expect([figures.p50Ms, figures.p95Ms, figures.p99Ms]).toEqual([50, 95, 99]);
  });

  test("are null before the first call", async () => {
    const { hooks, add } = await testHooks();
    await add(() => undefined);
    expect(hooks.figures()[0]).toMatchObject({
      count: 0,
      minMs: null,
      maxMs: null,
      avgMs: null,
      p99Ms: null,
    });
  });
});
