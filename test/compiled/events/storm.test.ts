/** A million events from Lua while a subscriber does not keep up. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Sandbox } from "../../support/cli.ts";

const COUNT = 1_000_000;

/** The most that a process has held; 0 where that cannot be told. */
function mostResidentKb(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}

describe("an event storm", () => {
  test("a slow subscriber keeps the newest, every loss is counted, and memory stays within bounds", async () => {
    using box = new Sandbox();
    box.write(
      "script.lua",
      `local slow, pad = Event.subscribe("storm.*", {buffer_size = 1000}), ("x"):rep(50)
       local received, missed, last = 0, 0, 0
       local function take()
         local event = Event.receive(slow, 0)
         if not event then return false end
         assert(event.data.n > last, "out of order")
         received, missed, last = received + 1, missed + event.missed, event.data.n
         return true
       end
       for n = 1, ${COUNT} do
         Event.publish("storm.x", {n = n, pad = pad})
         if n % 1000 == 0 then take() end
       end
       while take() do end
       local stats = Event.get_stats().event_bus_stats
       print(received, missed, received + missed, last, stats.events_processed, stats.events_dropped, stats.remembered)`,
    );
    const proc = box.start(["run", "script.lua"]);
    let mostKb = 0;
    // What the system says of an ended child counts this process's own memory, too.
    const look = setInterval(() => {
      mostKb = Math.max(mostKb, mostResidentKb(proc.pid));
    }, 20);
    const [stdout, stderr] = await Promise.all([
      new Response(proc.stdout).text(),
      new Response(proc.stderr).text(),
      proc.exited,
    ]);
    clearInterval(look);
    const [received, missed, sum, last, processed, dropped, remembered] = stdout
      .trim()
      .split("\t")
      .map(Number);
    expect([sum, last, processed]).toEqual([COUNT, COUNT, COUNT]);
    expect(received).toBeWithin(1000, 2100);
    expect(dropped).toBe(missed!);
    expect(remembered).toBe(10_000);
    expect(stderr.match(/a subscription loses events/g)).toHaveLength(1);
    // All million events of some 300 bytes would be well beyond that in themselves.
    if (process.platform === "linux") expect(mostKb).toBeWithin(30 << 10, 400 << 10);
  }, 300_000);

  test("an interrupt ends a script that waits for events", async () => {
    using box = new Sandbox();
    box.write(
      "script.lua",
      `local id = Event.subscribe("never") print("waiting") io.stdout:flush() Event.receive(id, 600000)`,
    );
    const proc = box.start(["run", "script.lua"]);
    for await (const _chunk of proc.stdout) proc.kill("SIGINT");
    expect(await proc.exited).toBe(130);
  });
});
