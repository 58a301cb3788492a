import { describe, expect, test } from "bun:test";
import { nodeAt } from "../../../../src/config/node.ts";
import type { Config } from "../../../../src/config/schema.ts";
import { BUILTINS, builtinOptions } from "../../../../src/hooks/builtin/index.ts";
import { testHooks } from "../support.ts";

const NAMES = Object.keys(BUILTINS);
/** Whether its table has such a key. */
const hasKey = (name: string, key: string) => nodeAt(["hooks", "builtin", name, key]) !== undefined;

describe("the table of a built-in hook", () => {
  test.each(NAMES)("[hooks.builtin.%s] switches it on, unless enabled is false", async (name) => {
    for (const enabled of [true, false]) {
      const { hooks } = await testHooks({
        change: (section) => {
          section.enabled = true;
          const options: object = builtinOptions(name, { enabled });
          section.builtin = { [name]: options } as Config["hooks"]["builtin"];
        },
      });
      expect(hooks.list().map((hook) => hook.name)).toEqual(enabled ? [name] : []);
    }
  });

  test.each(NAMES.filter((name) => hasKey(name, "points")))(
    "[hooks.builtin.%s] says at which points it stands",
    async (name) => {
      const { hooks } = await testHooks();
      await hooks.enableBuiltin(name, { points: ["ToolError", "BeforeStateRead"] });
      expect(["ToolError", "BeforeStateRead", "AfterToolExecution"].map((point) => hooks.has(point))).toEqual(
        [true, true, false],
      );
    },
  );
});

describe("switching built-in hooks on", () => {
  test("the configuration does it where hooks.enabled is true, and not otherwise", async () => {
    for (const enabled of [true, false]) {
      const { hooks } = await testHooks({
        change: (section) => {
          section.enabled = enabled;
          section.builtin = { metrics: { enabled: true, points: ["ToolError"] } };
        },
      });
      expect(hooks.list().map(({ name, tags }) => [name, tags])).toEqual(
        enabled ? [["metrics", ["builtin"]]] : [],
      );
      expect(hooks.has("ToolError")).toBe(enabled);
    }
  });

  test("a script does it with options over those of the configuration, and again in its place", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching", { max_entries: 5 });
    await hooks.enableBuiltin("caching");
    expect(hooks.list()).toHaveLength(1);
    expect(hooks.builtinReport("caching")).toMatchObject({ max_entries: 1000 });
    expect([hooks.disableBuiltin("caching"), hooks.disableBuiltin("caching")]).toEqual([true, false]);
    expect(() => hooks.builtinReport("caching")).toThrow('Cannot read built-in hook "caching": it is not on');
  });

  test("a wrong name or option is refused", async () => {
    const { hooks } = await testHooks();
    expect(hooks.enableBuiltin("loging")).rejects.toThrow("Cannot find built-in hook: loging");
    expect(hooks.enableBuiltin("logging", { levl: "info" })).rejects.toThrow("hooks.builtin.logging.levl");
    expect(hooks.enableBuiltin("retry", { max_attempts: 0 })).rejects.toThrow("must be greater than 0: 0");
    expect(hooks.enableBuiltin("cost_tracking", { prices: { x: [1] } })).rejects.toThrow("prices.x");
    expect(hooks.list()).toEqual([]);
  });

  test("they stand at the priorities of the specification", async () => {
    const { hooks } = await testHooks();
    for (const name of ["cost_tracking", "retry", "rate_limit", "logging", "security"])
      await hooks.enableBuiltin(name);
    expect(hooks.list().map(({ name, priority }) => [name, priority])).toEqual([
      ["rate_limit", -2147483648],
      ["security", -2147483648],
      ["retry", -100],
      ["cost_tracking", 100],
      ["logging", 100],
    ]);
  });
});
