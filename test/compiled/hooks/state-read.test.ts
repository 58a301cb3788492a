import { expect, test } from "bun:test";
import { Sandbox } from "../../support/cli.ts";

test("AfterStateRead tells the value, and may give another (spec/kernel.md section 17.1)", async () => {
  using box = new Sandbox();
  const { stdout, stderr } = await box.lua(`
    local seen
    Hook.register("AfterStateRead", function(ctx) seen = ctx.data.value end)
    State.save("global", "k", "kept")
    print(State.load("global", "k"), seen)
    Hook.register("AfterStateRead", function(ctx) return {type = "modified", data = {value = "changed"}} end)
    print(State.load("global", "k"))`);
  expect([stdout, stderr]).toEqual(["kept\tkept\nchanged\n", ""]);
});
