import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import type { HookedOperation } from "../../../src/hooks/service.ts";
import { OPERATION, says, testHooks } from "./support.ts";

type Sum = { sum: number; note?: string };
type Adder = HookedOperation<Sum>;

const add2 = (data: Record<string, unknown>): Sum => ({ sum: Number(data.a) + Number(data.b) });
const operation = (more: Partial<Adder> = {}): Adder => ({
  ...OPERATION,
  data: { a: 1, b: 2 },
  describe: ({ sum }) => ({ result: sum }),
  adopt: (value) => ({ sum: Number(value), note: "adopted" }),
  ...more,
});

describe("an operation without hooks", () => {
  test("is only run", async () => {
    const { hooks } = await testHooks();
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 3 });
  });
});

describe("what a hook before an operation says", () => {
  test("continue: it runs", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "continue" }));
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 3 });
  });

  test("modified: it runs with the fields given and the others as they were", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "modified", data: { b: 40 } }));
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 41 });
  });

  test("cancel: the caller is told by whom and why, and nothing runs", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "cancel", reason: "not on Sundays" }), { name: "calendar" });
    let runs = 0;
    const failure = await hooks.around(operation(), () => ({ sum: runs++ })).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SpellError);
    expect(failure).toMatchObject({
      code: "permission_denied",
      message: 'Cannot run tool "adder": a hook cancelled it: not on Sundays',
      data: { hook: "calendar", reason: "not on Sundays" },
    });
    expect(runs).toBe(0);
  });

  test("replace: that is the result, and hooks after it see it", async () => {
    const { hooks, add } = await testHooks();
    const seen: unknown[] = [];
    await add(says({ type: "replace", data: 7 }), { name: "replacer" });
    await add(({ data, metadata }) => void seen.push(data.result, metadata.replaced_by) as undefined, {
      points: ["AfterToolExecution"],
    });
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 7, note: "adopted" });
    expect(seen).toEqual([7, "replacer"]);
  });

  test("skipped: the operation's own word for that; where it has none, it runs", async () => {
    const { hooks, add } = await testHooks();
    let after = 0;
    await add(says({ type: "skipped", reason: "no need" }));
    await add(() => void after++ as undefined, { points: ["AfterToolExecution"] });
    const skipped = (note: string) => ({ sum: 0, note });
    expect(await hooks.around(operation({ skipped }), add2)).toEqual({ sum: 0, note: "no need" });
    expect(after).toBe(0);
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 3 });
  });

  test("redirect: its own way to others, or a target by name", async () => {
    const asked: unknown[] = [];
    const { hooks, add } = await testHooks({
      targets: {
        tool: async (name, parameters) => asked.push(["tool", name, parameters]) && 10,
        agent: async (name) => asked.push(["agent", name]) && 20,
      },
    });
    let target = "other";
    await add(() => ({ type: "redirect", target }));
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 10, note: "adopted" });
    target = "agent:ada";
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 20, note: "adopted" });
    expect(asked).toEqual([
      ["tool", "other", { a: 1, b: 2 }],
      ["agent", "ada"],
    ]);
    target = "workflow:w";
    expect(hooks.around(operation(), add2)).rejects.toThrow(
      'Cannot run workflow "w" for a hook: there are no workflows',
    );
    const redirect = async (name: string) => ({ sum: 99, note: name });
    expect(await hooks.around(operation({ redirect }), add2)).toEqual({ sum: 99, note: "workflow:w" });
  });

  test("retry: a failure is repeated until it passes or the attempts are used up", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "retry", delayMs: 1, maxAttempts: 3 }));
    const failing = (times: number) => {
      let calls = 0;
      const work = () => {
        if (++calls <= times) throw new SpellError("network", `attempt ${calls}`);
        return { sum: calls };
      };
      return { work, count: () => calls };
    };
    expect(await hooks.around(operation(), failing(2).work)).toEqual({ sum: 3 });
    const never = failing(9);
    expect(hooks.around(operation(), never.work)).rejects.toThrow("attempt 3");
    expect(never.count()).toBe(3);
  });

  test("retry: giving up the operation ends the wait", async () => {
    const { hooks, add } = await testHooks();
    const controller = new AbortController();
    await add(says({ type: "retry", delayMs: 3_600_000, maxAttempts: 3 }));
    const failing = () => {
      setTimeout(() => controller.abort(new SpellError("interrupted", "given up")), 5);
      throw new Error("broken");
    };
    expect(hooks.around(operation({ signal: controller.signal }), failing)).rejects.toThrow("given up");
  });

  test("fork: the others run beside it, and their results are given", async () => {
    const started: string[] = [];
    const gate = Promise.withResolvers<void>();
    const { hooks, add } = await testHooks({
      targets: {
        tool: async (name, parameters) => {
          started.push(name);
          if (name === "bad") throw new Error("no");
          await gate.promise;
          return parameters;
        },
      },
    });
    const seen: unknown[] = [];
    await add(
      says({
        type: "fork",
        operations: [
          { id: "x", operationType: "tool", parameters: { name: "good", params: { n: 1 } } },
          { id: "y", operationType: "tool:bad", parameters: {} },
          { id: "z", operationType: "nonsense", parameters: {} },
        ],
      }),
    );
    await add(({ data }) => void seen.push(data.fork_results) as undefined, {
      points: ["AfterToolExecution"],
    });
    const attach: NonNullable<Adder["attach"]> = (result, forked) => ({
      ...result,
      note: Object.keys(forked).sort().join(),
    });
    const result = await hooks.around(operation({ attach }), (data) => {
      started.push("work");
      gate.resolve(); // the forked operation waits for this one: one after the other would hang
      return add2(data);
    });
    expect(result).toEqual({ sum: 3, note: "x,y,z" });
    expect(started.sort()).toEqual(["bad", "good", "work"]);
    expect(seen).toEqual([
      {
        x: { success: true, result: { params: { n: 1 } } },
        y: { success: false, error: "no" },
        z: { success: false, error: "Cannot fork an operation of this type: nonsense" },
      },
    ]);
  });

  test("cache: the second call is answered from the first until its time is over", async () => {
    const { hooks, add } = await testHooks();
    const hits: (string | undefined)[] = [];
    await add(({ data }) => ({ type: "cache", key: `sum ${data.a}`, ttlMs: 40 }));
    await add(({ metadata }) => void hits.push(metadata.cache_hit) as undefined, {
      points: ["AfterToolExecution"],
    });
    let calls = 0;
    const work = () => ({ sum: ++calls });
    expect([await hooks.around(operation(), work), await hooks.around(operation(), work)]).toEqual([
      { sum: 1 },
      { sum: 1 },
    ]);
    expect(await hooks.around(operation({ data: { a: 2 } }), work)).toEqual({ sum: 2 });
    expect(await hooks.around(operation({ component: { type: "Tool", name: "another" } }), work)).toEqual({
      sum: 3,
    });
    await Bun.sleep(60);
    expect(await hooks.around(operation(), work)).toEqual({ sum: 4 });
    expect(hits).toEqual([undefined, "true", undefined, undefined, undefined]);
  });

  test("cache: failures are not kept", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "cache", key: "k", ttlMs: 10_000 }));
    let calls = 0;
    const work = () => ({ sum: ++calls });
    const failureOf = ({ sum }: { sum: number }) => (sum === 1 ? { message: "bad" } : undefined);
    for (const sum of [1, 2, 2]) expect(await hooks.around(operation({ failureOf }), work)).toEqual({ sum });
  });
});

describe("what a hook after an operation says", () => {
  const AFTER = { points: ["AfterToolExecution"] };

  test("modified: a changed result is the result", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "modified", data: { other: 1 } }), AFTER);
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 3 });
    await add(({ data }) => ({ type: "modified", data: { result: Number(data.result) * 10 } }), AFTER);
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 30, note: "adopted" });
  });

  test("it is told the data, the result, the time and the attempt", async () => {
    const { hooks, add } = await testHooks();
    const seen: unknown[] = [];
    await add(({ data }) => void seen.push(data) as undefined, AFTER);
    await hooks.around(operation(), add2);
    expect(seen).toEqual([{ a: 1, b: 2, result: 3, duration_ms: expect.any(Number), attempt: 1 }]);
  });

  test("retry: the operation is repeated", async () => {
    const { hooks, add } = await testHooks();
    await add(
      ({ data }) => (Number(data.result) < 5 ? { type: "retry", delayMs: 0, maxAttempts: 4 } : undefined),
      AFTER,
    );
    let sum = 0;
    expect(await hooks.around(operation(), () => ({ sum: ++sum }))).toEqual({ sum: 4 });
  });

  test("cancel: the caller gets the refusal in place of the result", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "cancel", reason: "secret" }), AFTER);
    expect(hooks.around(operation(), add2)).rejects.toThrow("a hook cancelled it: secret");
  });
});

describe("what a hook at a failure says", () => {
  const ERROR = { points: ["ToolError"] };
  const fails = () => {
    throw new SpellError("tool_failed", "broken", { data: { statusCode: 503 } });
  };

  test("nothing: the failure stays, and the hook was told of it", async () => {
    const { hooks, add } = await testHooks();
    const seen: unknown[] = [];
    await add(({ data }) => void seen.push(data) as undefined, ERROR);
    expect(hooks.around(operation(), fails)).rejects.toThrow("broken");
    await Bun.sleep(1);
    expect(seen).toMatchObject([
      { a: 1, error: "broken", error_code: "tool_failed", error_status: 503, attempt: 1 },
    ]);
  });

  test("replace: a result in place of the failure", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "replace", data: 0 }), ERROR);
    expect(await hooks.around(operation(), fails)).toEqual({ sum: 0, note: "adopted" });
  });

  test("retry: by the number of the attempt", async () => {
    const { hooks, add } = await testHooks();
    const attempts: unknown[] = [];
    await add(({ data }) => {
      attempts.push(data.attempt);
      return { type: "retry", delayMs: 0, maxAttempts: 3 };
    }, ERROR);
    expect(hooks.around(operation(), fails)).rejects.toThrow("broken");
    await Bun.sleep(5);
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("a result that is a failure counts as one", async () => {
    const { hooks, add } = await testHooks();
    await add(says({ type: "replace", data: 5 }), ERROR);
    const failureOf = ({ sum }: { sum: number }) => (sum === 3 ? { message: "three" } : undefined);
    expect(await hooks.around(operation({ failureOf }), add2)).toEqual({ sum: 5, note: "adopted" });
  });
});

describe("a hook that begins what it is a hook of", () => {
  test("does not fire for it, and others do", async () => {
    const { hooks, add } = await testHooks();
    const fired: string[] = [];
    const nested = () => hooks.around(operation(), add2);
    await add(async () => {
      fired.push("outer");
      await nested();
      return undefined;
    });
    await add(() => void fired.push("other") as undefined);
    await nested();
    expect(fired).toEqual(["outer", "other", "other"]);
  });

  test("redirects and forks count as begun by the hook that asked for them", async () => {
    let fired = 0;
    const { hooks, add } = await testHooks({
      targets: { tool: () => hooks.around(operation(), add2) },
    });
    await add(() => {
      fired++;
      return { type: "fork", operations: [{ id: "1", operationType: "tool:adder", parameters: {} }] };
    });
    await hooks.around(operation(), add2);
    expect(fired).toBe(1);
  });

  test("hooks nest at most four deep", async () => {
    const { hooks, add } = await testHooks();
    let calls = 0;
    for (let i = 0; i < 8; i++)
      await add(
        async () => {
          calls++;
          await hooks.around(operation(), add2);
          return undefined;
        },
        { breaker: "off" },
      );
    await hooks.around(operation(), add2);
    expect(calls).toBe(8 + 8 * 7 + 8 * 7 * 6 + 8 * 7 * 6 * 5);
  });
});

describe("a hook that never returns", () => {
  test("is given up after hooks.timeout_ms, counts as a failure, and the operation goes on", async () => {
    const { hooks, add, lines } = await testHooks({
      change: (section) => {
        section.timeout_ms = 20;
      },
    });
    await add(() => new Promise(() => {}), { name: "hanging" });
    expect(await hooks.around(operation(), add2)).toEqual({ sum: 3 });
    expect(lines[0]!.fields).toMatchObject({
      hook: "hanging",
      error: 'Hook "hanging" timed out: hooks.timeout_ms is 20',
    });
    expect(hooks.figures()[0]).toMatchObject({ count: 1, failures: 1 });
  });

  test("is given up with the operation", async () => {
    const { hooks, add } = await testHooks();
    const controller = new AbortController();
    await add(() => new Promise(() => {}));
    const running = hooks.around(operation({ signal: controller.signal }), () => {
      throw controller.signal.reason;
    });
    controller.abort(new SpellError("interrupted", "stopped"));
    expect(running).rejects.toThrow("stopped");
  });
});
