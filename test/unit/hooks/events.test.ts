import { describe, expect, test } from "bun:test";
import { Log, type LogRecord } from "../../../src/core/log.ts";
import { EventHooks } from "../../../src/hooks/event-points.ts";
import { testBus } from "../events/support.ts";
import { says, testHooks } from "./support.ts";

async function bus() {
  const { hooks, add } = await testHooks();
  const lines: LogRecord[] = [];
  const eventHooks = new EventHooks(() => hooks, new Log((record) => lines.push(record), "warn"));
  const events = eventHooks.around(testBus().bus);
  const heard: unknown[] = [];
  events.listen("*", ({ type, data }) => heard.push([type, data]));
  return {
    events,
    eventHooks,
    lines,
    hooks,
    heard,
    add: (run: Parameters<typeof add>[0], point: string) => add(run, { points: [point] }),
  };
}

describe("hooks at the points of events", () => {
  test("without one an event is there at once", async () => {
    const { events, heard } = await bus();
    events.publish({ type: "a", data: 1 });
    expect(heard).toEqual([["a", 1]]);
  });

  test("see each event before and after, keep the order, and may change or drop it", async () => {
    const { events, heard, add } = await bus();
    await add(async ({ data }) => {
      const { event_type, data: value } = data.event as { event_type: string; data: number };
      await Bun.sleep(event_type === "slow" ? 20 : 0);
      if (event_type === "secret") return { type: "cancel", reason: "secret" };
      return { type: "modified", data: { event: { data: value + 1 } } };
    }, "BeforeEventEmit");
    const after: unknown[] = [];
    await add(
      ({ data }) => void after.push((data.event as { data: unknown }).data) as undefined,
      "AfterEventEmit",
    );
    for (const [i, type] of ["slow", "secret", "quick"].entries()) events.publish({ type, data: i * 10 });
    while (after.length < 2) await Bun.sleep(1);
    expect(heard).toEqual([
      ["slow", 1],
      ["quick", 21],
    ]);
    expect(after).toEqual([1, 21]);
  });

  test("an event that a hook publishes is sent, and the hook is not asked about it", async () => {
    const { events, heard, add } = await bus();
    let asked = 0;
    await add(() => {
      asked++;
      events.publish({ type: "echo" });
      return undefined;
    }, "BeforeEventEmit");
    events.publish({ type: "first" });
    await Bun.sleep(20);
    expect(asked).toBe(1);
    expect(heard).toEqual([
      ["first", null],
      ["echo", null],
    ]);
  });

  test("are not asked about events of hooks", async () => {
    const { events, heard, add } = await bus();
    await add(says({ type: "cancel", reason: "no" }), "BeforeEventEmit");
    events.publish({ type: "hook.execution.start", source: "hook_executor" });
    expect(heard).toEqual([["hook.execution.start", null]]);
  });

  test("are told of a subscriber that fails", async () => {
    const { events, add } = await bus();
    const told: unknown[] = [];
    await add(({ data }) => void told.push(data) as undefined, "EventHandlerError");
    events.listen("bad", () => {
      throw new Error("no");
    });
    expect(events.publish({ type: "bad", data: 5 })).toBe("accepted");
    await Bun.sleep(1);
    expect(told).toEqual([{ event: { event_type: "bad", data: 5 }, error: "no" }]);
  });
});

describe("at the end of the scripts", () => {
  test("what waits for hooks goes through them first, and nothing is logged", async () => {
    const { events, eventHooks, heard, add, lines } = await bus();
    await add(async ({ data }) => {
      await Bun.sleep(5);
      return { type: "modified", data: { event: { data: `${(data.event as { data: string }).data} seen` } } };
    }, "BeforeEventEmit");
    for (const data of ["a", "b", "c"]) events.publish({ type: "x", data });
    await eventHooks.end(5000);
    await events.dispose();
    expect(heard).toEqual([
      ["x", "a seen"],
      ["x", "b seen"],
      ["x", "c seen"],
    ]);
    expect(lines).toEqual([]);
  });

  test("what waits too long is sent without them, in order, and the log tells how many", async () => {
    const { events, eventHooks, heard, add, lines } = await bus();
    const freed = Promise.withResolvers<undefined>();
    await add(() => freed.promise, "BeforeEventEmit");
    for (const data of [1, 2, 3]) events.publish({ type: "x", data });
    await eventHooks.end(20);
    // what the end of the VM does to the call that is going on
    freed.reject(new Error("the script has ended"));
    events.publish({ type: "x", data: 4 });
    await events.dispose();
    expect(heard).toEqual([1, 2, 3, 4].map((data) => ["x", data]));
    expect(lines.map(({ message, fields }) => [message, fields?.events])).toContainEqual([
      "events were sent without their hooks, whose scripts had ended",
      2,
    ]);
  });

  test("a flush waits for them, but not one of the hook itself", async () => {
    const { events, heard, add } = await bus();
    await add(async () => {
      await events.flush();
      return undefined;
    }, "BeforeEventEmit");
    events.publish({ type: "x", data: 1 });
    await events.flush();
    expect(heard).toEqual([["x", 1]]);
  });
});
