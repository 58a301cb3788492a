import { describe, expect, test } from "bun:test";
import type { HookResult } from "../../../src/hooks/service.ts";
import { input, says, testHooks } from "./support.ts";

/** A generator of its own, so that a failure can be run again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

interface Planned {
  name: string;
  priority: number;
  result: HookResult;
}

function plan(next: (below: number) => number): Planned[] {
  const results: ((i: number) => HookResult)[] = [
    () => ({ type: "continue" }),
    (i) => ({ type: "modified", data: { [`k${next(3)}`]: i } }),
    (i) => ({ type: "modified", data: { [`k${next(3)}`]: i, [`k${next(3)}`]: i + 100 } }),
    (i) => ({ type: "cancel", reason: `r${i}` }),
    (i) => ({ type: "replace", data: i }),
    (i) => ({ type: "redirect", target: `t${i}` }),
    (i) => ({ type: "skipped", reason: `s${i}` }),
    (i) => ({ type: "retry", delayMs: i, maxAttempts: 2 }),
    (i) => ({ type: "cache", key: `c${i}`, ttlMs: i }),
    (i) => ({ type: "fork", operations: [{ id: `f${i}`, operationType: "tool", parameters: {} }] }),
  ];
  return Array.from({ length: next(8) }, (_, i) => ({
    name: `h${i}`,
    priority: [-100, 0, 0, 100][next(4)]!,
    result: results[next(5) < 3 ? next(3) : next(results.length)]!(i),
  }));
}

/** What the specification says, written down a second time: by sorting pairs and going through them. */
function expected(planned: readonly Planned[]): { ran: string[]; result: HookResult } {
  const order = planned
    .map((hook, i) => [hook.priority, i] as const)
    .sort(([a, i], [b, j]) => a - b || i - j)
    .map(([, i]) => planned[i]!);
  const end = order.findIndex(({ result }) =>
    ["cancel", "replace", "redirect", "skipped"].includes(result.type),
  );
  const reached = end === -1 ? order : order.slice(0, end + 1);
  const ran = reached.map(({ name }) => name);
  if (end !== -1) return { ran, result: order[end]!.result };
  const last = (type: string) => reached.findLast(({ result }) => result.type === type)?.result;
  const forks = reached.flatMap(({ result }) => (result.type === "fork" ? [...result.operations] : []));
  const changes = reached.flatMap(({ result }) =>
    result.type === "modified" ? [result.data as object] : [],
  );
  const result: HookResult =
    last("retry") ??
    (forks.length > 0 ? { type: "fork", operations: forks } : undefined) ??
    last("cache") ??
    (changes.length > 0
      ? { type: "modified", data: Object.assign({ given: true }, ...changes) }
      : { type: "continue" });
  return { ran, result };
}

describe("the hooks of a point", () => {
  test("run by priority, then in the order of registration, and fold as the specification says", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const planned = plan(numbers(seed));
      const { hooks, add } = await testHooks();
      const ran: string[] = [];
      for (const { name, priority, result } of planned)
        await add(
          () => {
            ran.push(name);
            return result;
          },
          { name, priority },
        );
      const result = await hooks.run(input({ given: true }));
      expect({ seed, ran, result }).toEqual({ seed, ...expected(planned) });
      expect(hooks.list().map(({ priority }) => priority)).toEqual(
        planned.map(({ priority }) => priority).sort((a, b) => a - b),
      );
    }
  });

  test("each sees the data as those before it left it", async () => {
    const { hooks, add } = await testHooks();
    const seen: unknown[] = [];
    await add(says({ type: "modified", data: { b: 2, c: 3 } }));
    await add(({ data }) => {
      seen.push(data);
      return undefined;
    });
    const data = { a: 1, b: 1 };
    await hooks.run(input(data));
    expect(seen).toEqual([{ a: 1, b: 2, c: 3 }]);
    expect(data).toEqual({ a: 1, b: 1 });
  });

  test("one that throws or rejects counts as a failure, is logged, and the next one runs", async () => {
    const { hooks, add, lines } = await testHooks();
    await add(
      () => {
        throw new Error("first");
      },
      { name: "thrower" },
    );
    await add(() => Promise.reject(new Error("second")), { name: "rejecter" });
    await add(says({ type: "replace", data: "third" }));
    expect(await hooks.run(input())).toEqual({ type: "replace", data: "third" });
    expect(lines.map(({ level, message, fields }) => [level, message, fields?.hook, fields?.error])).toEqual([
      ["warn", "hook failed, the operation goes on", "thrower", "first"],
      ["warn", "hook failed, the operation goes on", "rejecter", "second"],
    ]);
    expect(hooks.figures().map(({ failures }) => failures)).toEqual([1, 1, 0]);
  });

  test("a hook may register others and remove itself while it runs", async () => {
    const { hooks, add } = await testHooks();
    const ran: string[] = [];
    const hook = await add(async () => {
      ran.push("first");
      hooks.unregister(hook.id);
      await add(() => {
        ran.push("second");
        return undefined;
      });
      return undefined;
    });
    await hooks.run(input());
    expect(ran).toEqual(["first"]);
    await hooks.run(input());
    expect(ran).toEqual(["first", "second"]);
    expect(hooks.unregister(hook.id)).toBe(false);
  });

  test("a hook of several points is told which", async () => {
    const { hooks, add } = await testHooks();
    const points: string[] = [];
    const hook = await add(
      ({ point }) => {
        points.push(point);
        return undefined;
      },
      { points: ["state_change"] },
    );
    expect(hook.point).toBe("*");
    for (const point of ["BeforeStateWrite", "AfterStateWrite", "BeforeStateRead"])
      await hooks.run(input({}, point));
    expect(points).toEqual(["BeforeStateWrite", "AfterStateWrite"]);
  });

  test("are at most hooks.max_hooks", async () => {
    const { add } = await testHooks({
      change: (hooks) => {
        hooks.max_hooks = 2;
      },
    });
    await add(says({ type: "continue" }));
    await add(says({ type: "continue" }));
    expect(add(says({ type: "continue" }))).rejects.toThrow("Cannot register a hook: hooks.max_hooks is 2");
  });

  test("do not run where the configuration switches hooks off; not setting it leaves them on", async () => {
    const off = await testHooks({ explicit: ["hooks.enabled"] });
    await off.add(says({ type: "cancel", reason: "x" }));
    expect(off.hooks.has("BeforeToolExecution")).toBe(false);
    expect(await off.hooks.run(input())).toEqual({ type: "continue" });
    const unset = await testHooks();
    await unset.add(says({ type: "cancel", reason: "x" }));
    expect(await unset.hooks.run(input())).toEqual({ type: "cancel", reason: "x" });
  });

  test("a hook that comes after the start is told of it", async () => {
    const { hooks, add } = await testHooks();
    await hooks.run({
      point: "SystemStartup",
      component: { type: "System", name: "kernel" },
      data: { version: "1" },
    });
    const seen: unknown[] = [];
    await add(({ data }) => void seen.push(data) as undefined, { points: ["system_startup"] });
    expect(seen).toEqual([{ version: "1" }]);
  });
});

describe("events about hooks", () => {
  test("tell the start and the end of each hook and of the batch", async () => {
    const { hooks, add, published, clock } = await testHooks();
    await add(
      () => {
        clock.ms += 7;
        return undefined;
      },
      { name: "slow", immediate: true },
    );
    await hooks.run({ ...input(), correlationId: "c-1" });
    expect(
      published.map(({ type, source, correlationId, data }) => ({ type, source, correlationId, data })),
    ).toEqual([
      {
        type: "hook.batch_execution.start",
        source: "hook_executor",
        correlationId: "c-1",
        data: {
          hook_count: 1,
          component_id: "adder",
          component_type: "Tool",
          hook_point: "BeforeToolExecution",
          operation: "batch_execution",
        },
      },
      {
        type: "hook.execution.start",
        source: "hook_executor",
        correlationId: "c-1",
        data: {
          hook_name: "slow",
          hook_language: "native",
          component_id: "adder",
          component_type: "Tool",
          hook_point: "BeforeToolExecution",
          operation: "hook_execution",
        },
      },
      {
        type: "hook.execution.complete",
        source: "hook_executor",
        correlationId: "c-1",
        data: { hook_name: "slow", success: true, duration_ms: 7, operation: "hook_execution" },
      },
      {
        type: "hook.batch_execution.complete",
        source: "hook_executor",
        correlationId: "c-1",
        data: { hook_count: 1, results_count: 1, operation: "batch_execution" },
      },
    ]);
  });
});
