import { describe, expect, test } from "bun:test";
import { testHooks } from "../support.ts";
import { agent, operation } from "./support.ts";

describe("caching", () => {
  const slow = (ms: number) => {
    let calls = 0;
    return async () => {
      calls++;
      await Bun.sleep(ms);
      return calls;
    };
  };

  test("answers the same call again, and no other", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching");
    const work = slow(15);
    const ask = (params: object, more = {}) => hooks.around(operation({ params }, more), work);
    expect([await ask({ a: 1 }), await ask({ a: 1 }), await ask({ a: 2 })]).toEqual([1, 1, 2]);
    expect(await ask({ a: 1 }, { component: { type: "Tool", name: "other" } })).toBe(3);
    expect(hooks.builtinReport("caching")).toMatchObject({ hits: 1, entries: 3 });
  });

  test("keeps no quick call, no failure, and nothing of tools that reach outside or belong to scripts", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching");
    const quick = slow(0);
    for (const n of [1, 2]) expect(await hooks.around(operation(), quick)).toBe(n);
    for (const metadata of [
      { security_level: "restricted", tool_origin: "builtin" },
      { security_level: "safe", tool_origin: "registered" },
    ]) {
      const work = slow(15);
      for (const n of [1, 2]) expect(await hooks.around(operation({ metadata }, { metadata }), work)).toBe(n);
    }
  });

  test("tells conversations of an agent apart", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching");
    const work = slow(15);
    const ask = (identity: string) =>
      hooks.around(agent({ input: "hi" }, { identity: () => identity }), work);
    expect([await ask("a"), await ask("a"), await ask("b")]).toEqual([1, 1, 2]);
  });

  test("never stands between a state write and the store", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching", { points: ["BeforeStateWrite"], min_duration_ms: 0 });
    const work = slow(1);
    const write = operation({}, { before: "BeforeStateWrite", component: { type: "System", name: "state" } });
    for (const n of [1, 2]) expect(await hooks.around(write, work)).toBe(n);
  });

  test("keeps a result for as long as is set, and so many", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching", { ttl_secs: 0.1, min_duration_ms: 0, max_entries: 2 });
    let calls = 0;
    const ask = (n: number) => hooks.around(operation({ params: { n } }), () => ++calls);
    expect([await ask(1), await ask(2), await ask(1), await ask(2)]).toEqual([1, 2, 1, 2]);
    expect([await ask(3), await ask(2), await ask(1)]).toEqual([3, 2, 4]);
    await Bun.sleep(120);
    expect(await ask(1)).toBe(5);
  });
});
