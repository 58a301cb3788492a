import { describe, expect, test } from "bun:test";
import { delayOf } from "../../../../src/hooks/builtin/retry.ts";
import { testHooks } from "../support.ts";
import { failing, operation } from "./support.ts";

describe("retry", () => {
  test("repeats what may pass and nothing else", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("retry", { initial_delay_ms: 1 });
    for (const [code, status, attempts] of [
      ["timeout", undefined, 3],
      ["network", undefined, 3],
      ["invalid_argument", undefined, 1],
      ["invalid_argument", 503, 3],
      ["invalid_argument", 404, 1],
    ] as const) {
      const { work, count } = failing(9, code, status);
      await hooks.around(operation(), work).catch(() => undefined);
      expect([code, status, count()]).toEqual([code, status, attempts]);
    }
    expect(await hooks.around(operation(), failing(2).work)).toBe(3);
  });

  test("gives up when the time for all attempts would be over", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("retry", { initial_delay_ms: 5000, max_total_secs: 4 });
    const { work, count } = failing(9);
    expect(hooks.around(operation(), work)).rejects.toThrow("broken");
    await Bun.sleep(5);
    expect(count()).toBe(1);
  });

  test("waits grow, stay within their bound, and are spread as asked", () => {
    const options = {
      initial_delay_ms: 100,
      multiplier: 2,
      max_delay_ms: 1000,
    } as Parameters<typeof delayOf>[0];
    const delays = (jitter: "None" | "Full" | "Equal" | "Decorrelated", random: number) =>
      [1, 2, 3, 4, 5].map((attempt) => delayOf({ ...options, jitter }, attempt, 200, () => random));
    expect(delays("None", 0.9)).toEqual([100, 200, 400, 800, 1000]);
    expect(delays("Full", 0.5)).toEqual([50, 100, 200, 400, 500]);
    expect(delays("Equal", 0.5)).toEqual([75, 150, 300, 600, 750]);
    expect(delays("Decorrelated", 0.5)).toEqual([350, 350, 350, 350, 350]);
  });
});
