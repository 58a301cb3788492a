/** Built-in hooks of state, around a real store. */
import { describe, expect, test } from "bun:test";
import { stateWith } from "../../state/support.ts";
import { testHooks } from "../support.ts";

async function stateWithBuiltin(name: string, options: Record<string, unknown> = {}) {
  const { hooks, clock } = await testHooks();
  await hooks.enableBuiltin(name, options);
  return { hooks, clock, state: await stateWith({ hooks }) };
}

describe("state_validation", () => {
  test("refuses values above a megabyte, and keeps the old one", async () => {
    const { hooks, state } = await stateWithBuiltin("state_validation");
    await state.save("global", "k", "x".repeat(1_000_000));
    await expect(state.save("global", "k", "x".repeat(1_000_001))).rejects.toThrow(
      "the value of k must be at most 1000000 bytes: 1000001",
    );
    expect(String(await state.load("global", "k"))).toHaveLength(1_000_000);
    expect(hooks.builtinReport("state_validation")).toEqual({ valid: 1, refused: 1 });
  });

  test("measures tables as their JSON, and lets deletions pass", async () => {
    const { state } = await stateWithBuiltin("state_validation", { max_value_bytes: 10 });
    await state.save("global", "k", { a: 1234 });
    await expect(state.save("global", "k", { a: 12345 })).rejects.toThrow("at most 10 bytes: 11");
    expect(await state.delete("global", "k")).toBe(true);
  });

  test("refuses keys that are not wanted", async () => {
    const { state } = await stateWithBuiltin("state_validation", { refused_keys: ["tmp_*"] });
    await expect(state.save("global", "tmp_1", 1)).rejects.toThrow("keys like tmp_* are refused: tmp_1");
    await state.save("global", "tm", 1);
  });
});

describe("state_audit", () => {
  test("keeps what was done, without values, the newest last", async () => {
    const { hooks, state } = await stateWithBuiltin("state_audit", { max_entries: 2 });
    await state.save("global", "a", "hunter2", { correlationId: "c-1" });
    await state.save("user:ada", "b", 1, { correlationId: "c-2" });
    await state.delete("global", "a");
    await state.load("global", "a");
    const report = hooks.builtinReport("state_audit") as { operations: object; entries: object[] };
    expect(report.operations).toEqual({ state_set: 2, state_delete: 1 });
    expect(report.entries).toMatchObject([
      {
        operation: "state_set",
        scope: "user:ada",
        key: "b",
        success: true,
        error: null,
        correlation_id: "c-2",
      },
      { operation: "state_delete", scope: "global", key: "a", success: true },
    ]);
    expect(JSON.stringify(report)).not.toContain("hunter2");
  });

  test("keeps failures of the store", async () => {
    const { hooks, state } = await stateWithBuiltin("state_audit");
    const { backend } = state.raw as unknown as { backend: { apply: unknown } };
    backend.apply = async () => {
      throw new Error("disk I/O error");
    };
    await expect(state.save("global", "a", 1)).rejects.toThrow("disk I/O error");
    expect(hooks.builtinReport("state_audit")).toMatchObject({
      entries: [{ operation: "state_set", key: "a", success: false, error: "disk I/O error" }],
    });
  });
});

describe("state_cache", () => {
  /** Changes a record as another process would. */
  async function changeOutside({ raw }: Awaited<ReturnType<typeof stateWith>>, key: string, value: unknown) {
    await raw.backend.apply([{ type: "set", key, value: raw.encode(key, value), schemaVersion: "1.0.0" }]);
  }

  test("answers from the last read, until this process changes anything", async () => {
    const { hooks, state } = await stateWithBuiltin("state_cache");
    await state.save("global", "k", 1);
    expect(await state.load("global", "k")).toBe(1);
    await changeOutside(state, "global:k", 2);
    expect(await state.load("global", "k")).toBe(1);
    expect(hooks.builtinReport("state_cache")).toMatchObject({ hits: 1, misses: 1 });
    await state.save("global", "other", 0);
    expect(await state.load("global", "k")).toBe(2);
  });

  test("keeps that there is nothing, and no longer than it may", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("state_cache", { ttl_secs: 0.05 });
    const state = await stateWith({ hooks });
    expect(await state.load("global", "k")).toBeUndefined();
    await changeOutside(state, "global:k", 2);
    expect(await state.load("global", "k")).toBeUndefined();
    await Bun.sleep(60);
    expect(await state.load("global", "k")).toBe(2);
  });

  test.each<[string, (state: Awaited<ReturnType<typeof stateWith>>) => Promise<unknown>, unknown]>([
    ["another spelling of its key", (state) => state.save("workflow", "w:step", 2), 2],
    ["an update", (state) => state.update("workflow:w", "step", () => 3), 3],
    ["the end of its scope", (state) => state.clear("workflow:w"), undefined],
    ["an import", (state) => state.import([{ scope: "workflow:w", key: "step", value: 4 }], true), 4],
  ])("is never older than %s", async (_, change, expected) => {
    const { state } = await stateWithBuiltin("state_cache");
    await state.save("workflow:w", "step", 1);
    expect(await state.load("workflow:w", "step")).toBe(1);
    await change(state);
    expect(await state.load("workflow:w", "step")).toEqual(expected);
  });
});
