import { expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { aroundMessage } from "../../../src/kernel/hooks.ts";
import { testHooks } from "../hooks/support.ts";

test("a bug of ours while a message is answered is told at SystemError, a refusal is not", async () => {
  const { hooks, add } = await testHooks();
  const told: unknown[] = [];
  await add(({ point, component, data }) => void told.push([point, component, data]) as undefined, {
    points: ["SystemError"],
  });
  const message = { type: "reset" } as const;
  const fails = (error: Error) =>
    aroundMessage(hooks, message, async () => {
      throw error;
    }).catch((reason: unknown) => reason);
  const refusal = new SpellError("not_found", "No such thing");
  expect(await fails(refusal)).toBe(refusal);
  expect(told).toEqual([]);
  const bug = new TypeError("x is not a function");
  expect(await fails(bug)).toBe(bug);
  expect(told).toEqual([
    [
      "SystemError",
      { type: "System", name: "kernel" },
      { message_type: "reset", error: expect.stringContaining("x is not a function") },
    ],
  ]);
});
