/** The kernel's own points of state. */
import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import type { HookContext, HookResult } from "../../../src/hooks/service.ts";
import { testHooks } from "../hooks/support.ts";
import { stateWith } from "./support.ts";

const POINTS = [
  "PreStateChange",
  "BeforeStateWrite",
  "PreStatePersist",
  "PostStatePersist",
  "AfterStateWrite",
  "PostStateChange",
  "StateError",
];

async function watchedState(answer: (context: HookContext) => HookResult | undefined = () => undefined) {
  const { hooks } = await testHooks();
  const seen: [string, unknown, unknown, unknown][] = [];
  await hooks.register({
    points: POINTS,
    run: (context) => {
      const { operation, key = null, error = null } = context.data;
      seen.push([context.point, operation, key, error]);
      return answer(context);
    },
  });
  return { seen, state: await stateWith({ hooks }) };
}

describe("The kernel's points of state", () => {
  test("fire around a save and a delete, the store innermost", async () => {
    const { seen, state } = await watchedState();
    await state.save("global", "k", 1);
    expect(seen.map(([point]) => point)).toEqual(POINTS.slice(0, 6));
    expect(new Set(seen.map(([, operation, key]) => `${operation} ${key}`))).toEqual(
      new Set(["state_set k"]),
    );
    seen.length = 0;
    await state.delete("global", "k");
    expect(seen.map(([point, operation]) => `${point} ${operation}`)).toEqual(
      POINTS.slice(0, 6).map((point) => `${point} state_delete`),
    );
  });

  test("fire for what changes many values at once", async () => {
    const { seen, state } = await watchedState();
    await state.import([{ scope: "global", key: "k", value: 1 }], false);
    await state.clear("global");
    await state.changed("state_restore");
    expect(seen.map(([point, operation]) => `${point} ${operation}`)).toEqual([
      ...["PreStateChange", "PreStatePersist", "PostStatePersist", "PostStateChange"].map(
        (p) => `${p} state_import`,
      ),
      ...["PreStateChange", "PreStatePersist", "PostStatePersist", "PostStateChange"].map(
        (p) => `${p} state_clear`,
      ),
      "PostStateChange state_restore",
    ]);
  });

  test("do not fire for keys that run no hooks", async () => {
    const { seen, state } = await watchedState();
    for (const key of ["temp:a", "cache:a", "test:a", "benchmark:a"]) await state.save("global", key, 1);
    expect(seen).toEqual([]);
  });

  test.each(["PreStateChange", "PreStatePersist"])("let %s refuse", async (point) => {
    const { state } = await watchedState((context) =>
      context.point === point && context.data.operation === "state_set"
        ? { type: "cancel", reason: "not now" }
        : undefined,
    );
    await expect(state.save("global", "k", 1)).rejects.toThrow(
      'Cannot change state: a hook cancelled state_set of "k": not now',
    );
    expect(await state.load("global", "k")).toBeUndefined();
  });

  test("tell where the store fails, in writing and in reading", async () => {
    const { seen, state } = await watchedState();
    const backend = state.raw.backend as unknown as Record<string, unknown>;
    const fails = async () => {
      throw new SpellError("io", "Cannot write: the disk is full");
    };
    backend.apply = fails;
    await expect(state.save("global", "k", 1)).rejects.toThrow("the disk is full");
    backend.get = fails;
    await expect(state.load("global", "k")).rejects.toThrow("the disk is full");
    expect(seen.filter(([point]) => point === "StateError")).toEqual([
      ["StateError", "state_set", "k", "Cannot write: the disk is full"],
      ["StateError", "state_get", "k", "Cannot write: the disk is full"],
    ]);
  });

  test("do not take a mistake of the caller, or another writer, for a failure", async () => {
    const { seen, state } = await watchedState();
    await expect(state.save("global", "k", () => 1)).rejects.toThrow("must not be a function");
    await Promise.all(
      Array.from({ length: 5 }, () => state.update("global", "n", (n) => Number(n ?? 0) + 1)),
    );
    expect(await state.load("global", "n")).toBe(5);
    expect(seen.filter(([point]) => point === "StateError")).toEqual([]);
  });
});
