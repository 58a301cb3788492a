import { describe, expect, test } from "bun:test";
import { type CompositeOptions, compositeHook, type Pattern } from "../../../src/hooks/composite.ts";
import { type ConditionSpec, conditionOf } from "../../../src/hooks/conditions.ts";
import type { HookContext, HookFunction, HookResult } from "../../../src/hooks/service.ts";

const context = (data: Record<string, unknown> = {}): HookContext => ({
  point: "BeforeToolExecution",
  component: { type: "Tool", name: "file-operations" },
  data,
  metadata: { tool_name: "file-operations" },
  correlationId: "c",
  timestampMs: 0,
  identity: () => "",
});

const go: HookResult = { type: "continue" };
const stop = (reason: string): HookResult => ({ type: "cancel", reason });
const replace = (data: unknown): HookResult => ({ type: "replace", data });
const change = (data: object): HookResult => ({ type: "modified", data });

async function ask(pattern: Pattern, results: HookResult[], options?: CompositeOptions) {
  const hooks = results.map(
    (result): HookFunction =>
      () =>
        result,
  );
  return compositeHook(pattern, hooks, options)(context({ given: 1 }));
}

describe("composite hooks", () => {
  test("sequential: each sees what those before it changed; a decision ends it", async () => {
    const seen: unknown[] = [];
    const look: HookFunction = ({ data }) => {
      seen.push(data);
      return undefined;
    };
    const hooks: HookFunction[] = [() => change({ a: 1 }), look, () => change({ a: 2, b: 3 })];
    expect(await compositeHook("sequential", hooks)(context({ given: 1 }))).toEqual(
      change({ given: 1, a: 2, b: 3 }),
    );
    expect(seen).toEqual([{ given: 1, a: 1 }]);
    expect(await ask("sequential", [change({ a: 1 }), stop("x"), replace(1)])).toEqual(stop("x"));
    expect(await ask("sequential", [go, go])).toEqual(go);
  });

  test("parallel: all are asked at once about the same data", async () => {
    let waiting = 0;
    const gate = Promise.withResolvers<void>();
    const meet: HookFunction = async ({ data }) => {
      waiting++;
      if (waiting === 3) gate.resolve();
      await gate.promise;
      return change({ [`seen${Object.keys(data).length}`]: true });
    };
    expect(await compositeHook("parallel", [meet, meet, meet])(context({ given: 1 }))).toEqual(
      change({ seen1: true }),
    );
    expect(await ask("parallel", [change({ a: 1 }), change({ b: 2 })])).toEqual(change({ a: 1, b: 2 }));
    expect(await ask("parallel", [change({ a: 1 }), stop("x"), stop("y")])).toEqual(stop("x"));
  });

  test("first match: the first that does not go on; those after it are not asked", async () => {
    let asked = 0;
    const count: HookFunction = () => {
      asked++;
      return undefined;
    };
    expect(await compositeHook("first_match", [count, () => stop("x"), count])(context())).toEqual(stop("x"));
    expect(asked).toBe(1);
    expect(await ask("first_match", [go, go])).toEqual(go);
  });

  test.each<[HookResult[], CompositeOptions, HookResult]>([
    [[stop("a"), go, stop("b")], {}, stop("a")],
    [[stop("a"), go, go], {}, go],
    [[stop("a"), go, replace(1)], {}, go],
    [[stop("a"), go, go, stop("b")], {}, stop("a")],
    [[go, stop("a"), stop("b"), go], {}, go],
    [[stop("a"), go], { tie: "prefer_continue" }, go],
    [[go, stop("a")], { tie: "prefer_action" }, stop("a")],
    [[go, stop("a")], { tie: "by_priority", priorities: [5, -5] }, stop("a")],
    [[stop("a"), stop("b"), go], { threshold: 0.7 }, go],
    [[stop("a"), stop("b"), stop("c"), go], { threshold: 0.7 }, stop("a")],
    [[], {}, go],
  ])("voting %#", async (results, options, expected) => {
    expect(await ask("voting", results, options)).toEqual(expected);
  });
});

describe("conditions", () => {
  test.each<[ConditionSpec, boolean]>([
    [{}, true],
    [{ componentType: "Tool" }, true],
    [{ componentType: "Agent" }, false],
    [{ component: "file-*" }, true],
    [{ component: "file" }, false],
    [{ component: "f.*" }, false],
    [{ point: "Before*Execution" }, true],
    [{ metadata: { tool_name: "*" } }, true],
    [{ metadata: { tool_name: "other" } }, false],
    [{ metadata: { missing: "*" } }, false],
    [{ hasError: false }, true],
    [{ hasError: true }, false],
    [{ path: "data.params.path" }, true],
    [{ path: "data.params.list.2", equals: "b" }, true],
    [{ path: "data.params.path", equals: "/tmp/x" }, true],
    [{ path: "data.params.path", equals: "/tmp/y" }, false],
    [{ path: "data.params.none.deeper" }, false],
    [{ componentType: "Tool", path: "data.toString" }, false],
    [{ always: true }, true],
    [{ always: true, component: "other" }, false],
    [{ never: true }, false],
    [{ debugMode: false }, true],
    [{ debugMode: true }, false],
    [{ executionState: "busy" }, true],
    [{ executionState: "idle" }, false],
  ])("%j is %p", (spec, holds) => {
    const kernel = () => ({ execution: "busy", debug: false }) as const;
    expect(conditionOf(spec, kernel)(context({ params: { path: "/tmp/x", list: ["a", "b"] } }))).toBe(holds);
  });
});
