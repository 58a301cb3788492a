import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { mayReach, parentOf } from "../../../src/state/scoped.ts";
import { stateWith } from "./support.ts";

describe("The parent of", () => {
  test.each<[string, string | undefined]>([
    ["global", undefined],
    ["session:ada_2026", "user:ada"],
    ["session:9f0c", "global"],
    ["user:ada", "global"],
    ["agent:a_b", "global"],
    ["custom:tenant:1", "global"],
  ])("%s is %p", (scope, parent) => {
    expect(parentOf(scope)).toBe(parent as never);
  });
});

describe("Access", () => {
  const scopes = ["user:ada", "session:bob_1", "agent:a", "tool:a", "workflow:a", "hook:a", "custom:a"];
  const other = (scope: string) => scopes.filter((one) => one !== scope);

  test.each(scopes)("%s reaches itself and global, and nothing else", (scope) => {
    expect([scope, "global"].map((to) => mayReach(scope, to))).toEqual([true, true]);
    expect(other(scope).filter((to) => mayReach(scope, to))).toEqual([]);
    expect([`${scope}2`, scope.slice(0, -1), "free"].filter((to) => mayReach(scope, to))).toEqual([]);
  });

  test("global reaches everything", () => {
    expect(scopes.every((to) => mayReach("global", to))).toBe(true);
  });

  test("a user and the user's sessions reach each other", () => {
    expect(mayReach("user:ada", "session:ada_1")).toBe(true);
    expect(mayReach("session:ada_1", "user:ada")).toBe(true);
    expect(mayReach("session:ada_1", "session:ada_2")).toBe(false);
    expect(mayReach("user:ada", "session:bob_1")).toBe(false);
  });
});

describe("State as a scope", () => {
  const denied = (to: string) => `Access to state denied: agent:writer may not reach ${to}`;

  async function messageOf(work: Promise<unknown>): Promise<string> {
    const error = await work.catch((e: unknown) => e);
    if (!(error instanceof SpellError)) throw new Error(`No SpellError: ${String(error)}`);
    expect(error.code).toBe("permission_denied");
    return error.message;
  }

  test("keeps, reads, changes and lists what is its own", async () => {
    const state = await stateWith();
    const own = state.as("agent:writer");
    await own.save("agent:writer", "n", 1);
    await own.update("agent:writer", "n", (n) => Number(n) + 1);
    await own.save("global", "shared", "for all");
    expect(await state.load("agent:writer", "n")).toBe(2);
    expect(await own.load("global", "shared")).toBe("for all");
    expect(await own.keys("agent:writer")).toEqual(["n"]);
    expect(await own.exists("agent:writer", "n")).toBe(true);
    expect(await own.delete("agent:writer", "n")).toBe(true);
    expect(await own.exists("agent:writer", "n")).toBe(false);
  });

  test("refuses every call on another's", async () => {
    const state = await stateWith();
    await state.save("agent:reader", "n", 1);
    const own = state.as("agent:writer");
    const calls = [
      own.load("agent:reader", "n"),
      own.save("agent:reader", "n", 2),
      own.delete("agent:reader", "n"),
      own.update("agent:reader", "n", () => 2),
      own.exists("agent:reader", "n"),
      own.keys("agent:reader"),
    ];
    for (const call of calls) expect(await messageOf(call)).toBe(denied("agent:reader"));
    expect(await state.load("agent:reader", "n")).toBe(1);
  });

  test("is not led to another's by a key that names its record", async () => {
    const state = await stateWith();
    await state.save("workflow:w", "step", "theirs");
    const own = state.as("agent:writer");
    expect(await own.load("agent:writer", ":workflow:w:step")).toBeUndefined();
    expect(await own.load("global", "workflow:w:step")).toBeUndefined();
    expect(await messageOf(own.load("workflow", "w:step"))).toBe(denied("workflow"));
  });

  test("sees nothing of a scope whose id begins with its own and a colon", async () => {
    const state = await stateWith();
    const key = "custom:tenant:1:k";
    await state.raw.backend.apply([
      { type: "set", key, value: state.raw.encode(key, "of tenant, or of tenant:1"), schemaVersion: "1.0.0" },
    ]);
    const own = state.as("custom:tenant:1");
    expect(await own.load("custom:tenant:1", "k")).toBeUndefined();
    expect(await own.keys("custom:tenant:1")).toEqual([]);
    expect(await own.delete("custom:tenant:1", "k")).toBe(false);
    expect(await state.load("custom:tenant", "1:k")).toBe("of tenant, or of tenant:1");
  });

  test.each(["agent", "free", "agent:", ""])("refuses to act as %j", async (scope) => {
    const state = await stateWith();
    expect(() => state.as(scope)).toThrow("Cannot act as a scope: it must be global or KIND:ID");
  });
});
