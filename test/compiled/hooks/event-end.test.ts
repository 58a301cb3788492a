/** Events that still wait for hooks when their script ends: what an export then holds, and what is logged. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";

async function ended(script: string) {
  using box = new Sandbox();
  box.write("c.toml", `[events]\nfiltering.include_types = ["x"]\n[events.export]\nfile = "out.jsonl"\n`);
  const done = await box.lua(script, { args: ["-c", "c.toml"] });
  const lines = readFileSync(join(box.cwd, "out.jsonl"), "utf8").trimEnd().split("\n");
  return { ...done, seen: lines.map((line) => JSON.parse(line).data) };
}

const ALL = (n: number, of: (n: number) => unknown) => Array.from({ length: n }, (_, i) => of(i + 1));

describe("events that wait for a hook at the end of their script", () => {
  test("go through it, all of them and in order, and nothing is logged", async () => {
    const { seen, stderr, code } = await ended(`
      Hook.register("BeforeEventEmit", function(c) return {type = "modified", data = {event = {data = {n = c.data.event.data.n, seen = true}}}} end)
      for n = 1, 500 do Event.publish("x", {n = n}) end`);
    expect([stderr, code]).toEqual(["", 0]);
    expect(seen).toEqual(ALL(500, (n) => ({ n, seen: true })));
  });

  test("also where the script fails", async () => {
    const { seen, stderr, code } = await ended(`
      Hook.register("BeforeEventEmit", function(c)
        local data = c.data.event.data
        if type(data) == "number" then return {type = "modified", data = {event = {data = data * 2}}} end
      end)
      for n = 1, 100 do Event.publish("x", n) end
      error("oops")`);
    expect([code, stderr.includes("WARN"), stderr.includes("oops")]).toEqual([1, false, true]);
    expect(seen).toEqual(ALL(100, (n) => 2 * n));
  });

  test("are sent without one that never returns, in order, and the log says how many", async () => {
    const { seen, stderr, code } = await ended(`
      Hook.register("BeforeEventEmit", function() while true do end end)
      for n = 1, 50 do Event.publish("x", n) end`);
    expect(code).toBe(0);
    expect(seen).toEqual(ALL(50, (n) => n));
    expect(stderr).toMatch(/events were sent without their hooks, whose scripts had ended events=\d\d/);
  }, 60_000);
});
