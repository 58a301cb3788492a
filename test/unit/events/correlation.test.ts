import { describe, expect, test } from "bun:test";
import { testBus } from "./support.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const SECOND = "22222222-2222-4222-8222-222222222222";

describe("correlation", () => {
  test("links what was caused, begun, ended and what followed", () => {
    const { bus } = testBus();
    const ids: string[] = [];
    using _all = bus.listen("*", ({ id }) => ids.push(id));
    const publish = (type: string, more: object = {}) =>
      bus.publish({ type, correlationId: FIRST, source: "workflow", ...more });
    publish("workflow.started");
    publish("workflow.step.started", { tags: ["step"] });
    publish("tool.note", { parentId: ids[1], source: "tool" });
    publish("workflow.step.completed", { tags: ["done", "step"] });
    publish("workflow.completed");
    const timeline = bus.timeline(FIRST)!;
    const name = (id: string) => timeline.events.find((event) => event.id === id)!.type;
    const links = timeline.links.map(
      ({ from, to, relationship }) => `${name(from)} ${relationship} ${name(to)}`,
    );
    expect(links).toContain("tool.note CausedBy workflow.step.started");
    expect(links).toContain("workflow.step.completed ResponseTo workflow.step.started");
    expect(links).toContain("workflow.completed ResponseTo workflow.started");
    expect(links).toContain("workflow.step.started PartOf workflow.started");
    expect(links).toContain("workflow.step.completed ConcurrentWith tool.note");
    expect(links).toContain("workflow.completed FollowsFrom workflow.step.completed");
    for (const { strength } of timeline.links) expect(strength).toBeWithin(0.5, 1.001);
    expect(timeline).toMatchObject({ correlationId: FIRST, rootId: FIRST, tags: ["done", "step"] });
    expect(timeline.parentId).toBeUndefined();
  });

  test("knows the parent and the root of a correlation that an event of another began", () => {
    const { bus } = testBus();
    const ids: string[] = [];
    using _all = bus.listen("*", ({ id }) => ids.push(id));
    bus.publish({ type: "a", correlationId: FIRST });
    bus.publish({ type: "b", correlationId: SECOND, parentId: ids[0] });
    bus.publish({ type: "c", correlationId: "third", parentId: ids[1] });
    expect(bus.timeline(SECOND)).toMatchObject({ parentId: FIRST, rootId: FIRST });
    expect(bus.timeline("third")).toMatchObject({ parentId: SECOND, rootId: FIRST });
  });

  test("begins with the event whose id the others took", () => {
    const { bus } = testBus();
    const ids: string[] = [];
    using _all = bus.listen("*", ({ id }) => ids.push(id));
    bus.publish({ type: "a" });
    bus.publish({ type: "b", correlationId: ids[0] });
    expect(bus.timeline(ids[0]!)!.events.map(({ type }) => type)).toEqual(["a", "b"]);
  });

  test("keeps at most 1000 events of one, 10 000 of them, and no more events than it may", async () => {
    const { bus } = testBus({ historySize: 2000 });
    for (let i = 0; i < 5000; i++) bus.publish({ type: "a", data: i, correlationId: FIRST });
    expect(bus.timeline(FIRST)!.events.map(({ data }) => data)).toEqual(
      Array.from({ length: 1000 }, (_, i) => 4000 + i),
    );
    for (let i = 0; i < 12_000; i++) bus.publish({ type: "a", correlationId: `c${i}` });
    expect(bus.stats()).toMatchObject({ remembered: 2000, correlations: 10_000 });
    expect(bus.timeline(FIRST)).toBeUndefined();
    expect(bus.timeline("c11999")!.events).toHaveLength(1);
    expect(bus.timeline("c3000")).toBeUndefined();
  });

  test("answers queries by pattern, time and correlation with the newest, oldest first", async () => {
    const { bus } = testBus();
    for (let i = 0; i < 10; i++)
      bus.publish({ type: i % 2 === 0 ? "x.even" : "x.odd", data: i, correlationId: i < 5 ? FIRST : SECOND });
    const data = async (query: object) => (await bus.history(query)).map((event) => event.data);
    expect(await data({ pattern: "*.even", limit: 2 })).toEqual([6, 8]);
    expect(await data({ correlationId: FIRST })).toEqual([0, 1, 2, 3, 4]);
    expect(await data({ sinceMs: Date.now() + 1000 })).toEqual([]);
    expect(await data({ untilMs: Date.now() + 1000, pattern: "x.odd" })).toEqual([1, 3, 5, 7, 9]);
  });

  test("replays to those who listen without remembering it twice", async () => {
    const { bus } = testBus();
    bus.publish({ type: "a", data: 1 });
    const late = bus.subscribe("a");
    const other = bus.subscribe("b");
    expect(await bus.replay({ pattern: "a" })).toBe(1);
    const received = late.poll()!;
    expect(received.event).toMatchObject({ data: 1, origin: "replay", id: (await bus.history())[0]!.id });
    expect(other.poll()).toBeUndefined();
    await bus.replay({}, other);
    expect(other.poll()?.event.data).toBe(1);
    expect(late.poll()).toBeUndefined();
    expect(bus.stats().remembered).toBe(1);
  });
});
