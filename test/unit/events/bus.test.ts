import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { TokenBucket } from "../../../src/events/rate.ts";
import {
  OVERFLOW_POLICIES,
  type OverflowPolicy,
  type PublishOutcome,
  type Subscription,
} from "../../../src/events/service.ts";
import { uniform } from "../../support/random.ts";
import { testBus } from "./support.ts";

/** A queue as plainly as it can be said. */
interface ModelQueue {
  subscription: Subscription;
  matches: (type: string) => boolean;
  policy: OverflowPolicy;
  size: number;
  waiting: { n: number; priority: number }[];
  missed: number;
}

const PATTERNS: Record<string, (type: string) => boolean> = {
  "*": () => true,
  "a.*": (type) => type.startsWith("a."),
  "a.x": (type) => type === "a.x",
  "*.x": (type) => /^[^.]*\.x$/.test(type),
  "**.x": (type) => /(^|\.)x$/.test(type),
};

describe("the bus", () => {
  test("agrees with a simple model over random publishing, receiving, subscribing and ending", () => {
    const random = uniform(5);
    const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!;
    const { bus } = testBus();
    const queues: ModelQueue[] = [];
    let n = 0;
    for (let step = 0; step < 20_000; step++) {
      const act = random();
      if (act < 0.03 && queues.length < 12) {
        const pattern = pick(Object.keys(PATTERNS));
        const policy = pick(OVERFLOW_POLICIES);
        const size = 1 + Math.floor(random() * 20);
        const subscription = bus.subscribe(pattern, { bufferSize: size, overflow: policy });
        queues.push({ subscription, matches: PATTERNS[pattern]!, policy, size, waiting: [], missed: 0 });
      } else if (act < 0.05 && queues.length > 0) {
        const [gone] = queues.splice(Math.floor(random() * queues.length), 1);
        gone!.subscription.end();
      } else if (act < 0.6) {
        const type = pick(["a.x", "b.x", "a.b.x", "x", "a.y"]);
        const priority = random() < 0.8 ? 0 : pick([-1, 1, 2]);
        const outcome = bus.publish({ type, data: ++n, priority });
        expect(outcome).toBe(publishInModel(queues, type, n, priority));
      } else if (queues.length > 0) {
        const queue = pick(queues);
        const received = queue.subscription.poll();
        const urgent = Math.min(...queue.waiting.map(({ priority }) => priority));
        const at = queue.waiting.findIndex(({ priority }) => priority === urgent);
        const [expected] = at === -1 ? [] : queue.waiting.splice(at, 1);
        expect(received?.event.data as number | undefined).toBe(expected?.n);
        if (received !== undefined) {
          expect(received.missed).toBe(queue.missed);
          queue.missed = 0;
        }
      }
    }
    expect(bus.stats().queued).toBe(queues.reduce((sum, { waiting }) => sum + waiting.length, 0));
    expect(n).toBeGreaterThan(9000);
  });

  function publishInModel(queues: ModelQueue[], type: string, n: number, priority: number): PublishOutcome {
    const wanting = queues.filter(({ matches }) => matches(type));
    const refusing = wanting.filter(
      ({ policy, waiting, size }) => policy === "Reject" && waiting.length === size,
    );
    for (const queue of refusing) queue.missed++;
    if (refusing.length > 0) return "rejected";
    let outcome: PublishOutcome = "accepted";
    for (const queue of wanting) {
      if (queue.waiting.length === queue.size) {
        outcome = "dropped";
        queue.missed++;
        if (queue.policy === "DropNewest") continue;
        const least = Math.max(...queue.waiting.map((event) => event.priority));
        queue.waiting.splice(
          queue.waiting.findIndex((event) => event.priority === least),
          1,
        );
      }
      queue.waiting.push({ n, priority });
    }
    return outcome;
  }

  test("numbers events from 1 and tells listeners before publish returns, in order", () => {
    const { bus } = testBus();
    const seen: [string, number][] = [];
    using _first = bus.listen("*", ({ type, sequence }) => {
      seen.push([type, sequence]);
      if (type === "a") bus.publish({ type: "b" });
    });
    using _second = bus.listen("*", ({ type, sequence }) => seen.push([`${type}'`, sequence]));
    bus.publish({ type: "a" });
    bus.publish({ type: "c" });
    expect(seen).toEqual([
      ["a", 1],
      ["a'", 1],
      ["b", 2],
      ["b'", 2],
      ["c", 3],
      ["c'", 3],
    ]);
  });

  test("gives each event an id of its own that is a UUID", () => {
    const { bus } = testBus();
    const subscription = bus.subscribe("*");
    for (let i = 0; i < 1000; i++) bus.publish({ type: "a" });
    const ids = new Set<string>();
    for (let got = subscription.poll(); got !== undefined; got = subscription.poll()) ids.add(got.event.id);
    expect(ids.size).toBe(1000);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("outlives a listener that throws, and counts and logs it once", () => {
    const { bus, logged } = testBus();
    let heard = 0;
    using _bad = bus.listen("a", () => {
      throw new Error("no");
    });
    using _good = bus.listen("a", () => heard++);
    for (let i = 0; i < 5; i++) bus.publish({ type: "a" });
    expect(heard).toBe(5);
    expect(bus.stats().handlerErrors).toBe(5);
    expect(logged.filter(({ message }) => message === "a listener failed")).toHaveLength(1);
  });

  test("does not hang where a listener publishes what it listens to", () => {
    const { bus, logged } = testBus({ historySize: 10 });
    using _circle = bus.listen("a", () => bus.publish({ type: "a" }));
    bus.publish({ type: "a" });
    expect(bus.stats().dropped).toBeGreaterThan(0);
    expect(logged.map(({ message }) => message)).toContain(
      "events are dropped: listeners publish what they listen to",
    );
  });

  test("drops what is over the limit a second, counts it and logs it once", () => {
    const { bus, logged } = testBus({ maxPerSecond: 1, burst: 10 });
    const outcomes = Array.from({ length: 100 }, () => bus.publish({ type: "a" }));
    expect(outcomes.filter((outcome) => outcome === "accepted").length).toBeWithin(10, 13);
    expect(bus.stats().rateLimited).toBeGreaterThan(80);
    expect(logged.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  test("logs one warning for a burst of drops and one more for the next", () => {
    const { bus, logged } = testBus();
    const subscription = bus.subscribe("*", { bufferSize: 10 });
    for (let burst = 0; burst < 2; burst++) {
      for (let i = 0; i < 100; i++) bus.publish({ type: "a" });
      while (subscription.poll() !== undefined);
    }
    expect(logged.filter(({ level }) => level === "warn")).toHaveLength(2);
    expect(subscription.dropped).toBe(180);
    expect(bus.stats().dropped).toBe(180);
  });

  test("bounds a queue by the size of its events too", () => {
    const { bus } = testBus();
    const subscription = bus.subscribe("*");
    const data = "x".repeat(1 << 20);
    for (let i = 0; i < 200; i++) bus.publish({ type: "a", data });
    expect(subscription.queued).toBeWithin(60, 70);
    expect(subscription.dropped).toBeWithin(130, 141);
    expect(bus.stats().remembered).toBeLessThan(40);
  });

  test("does not deliver an event that has expired", async () => {
    const { bus } = testBus();
    const subscription = bus.subscribe("*");
    bus.publish({ type: "short", ttlSeconds: 0.001 });
    bus.publish({ type: "long", ttlSeconds: 60 });
    await Bun.sleep(20);
    expect(subscription.poll()?.event.type).toBe("long");
    expect(bus.stats().expired).toBe(1);
  });

  test("ends a subscription with its owner, and whoever waits gets nothing", async () => {
    const { bus } = testBus();
    const owner = new AbortController();
    const subscription = bus.subscribe("*", { owner: owner.signal });
    const waiting = subscription.receive(60_000);
    owner.abort();
    expect(await waiting).toBeUndefined();
    expect(bus.subscriptions()).toEqual([]);
  });

  test("stops waiting when it is interrupted", async () => {
    const { bus } = testBus();
    const stop = new AbortController();
    const waiting = bus.subscribe("*").receive(60_000, stop.signal);
    stop.abort(new SpellError("interrupted", "Interrupted"));
    expect(waiting).rejects.toThrow("Interrupted");
  });

  test("makes a publisher wait for a queue that blocks until it has fallen to its low water", async () => {
    const { bus } = testBus();
    const subscription = bus.subscribe("a", { bufferSize: 10, overflow: "Block" });
    for (let i = 0; i < 10; i++) await bus.publishWhenRoom({ type: "a", data: i });
    let isThrough = false;
    const late = bus.publishWhenRoom({ type: "a", data: 10 }).then((outcome) => {
      isThrough = true;
      return outcome;
    });
    for (let i = 0; i < 7; i++) expect(subscription.poll()?.event.data).toBe(i);
    await Bun.sleep(5);
    expect(isThrough).toBe(false);
    subscription.poll();
    expect(await late).toBe("accepted");
    expect(subscription.queued).toBe(3);
    expect(bus.stats().dropped).toBe(0);
  });

  test("refuses to wait for a queue that only the publisher could empty", async () => {
    const { bus } = testBus();
    const owner = new AbortController().signal;
    bus.subscribe("a", { bufferSize: 1, overflow: "Block", owner });
    await bus.publishWhenRoom({ type: "a" }, owner);
    expect(bus.publishWhenRoom({ type: "a" }, owner)).rejects.toThrow(
      "the script's own subscription is full",
    );
  });

  test("filters by type and component, and llmspell's own events by the emit switches", () => {
    const filter = (changes: object) => ({ filter: { ...testFilter, ...changes } });
    const testFilter = {
      enabled: true,
      emitTimingEvents: false,
      emitStateEvents: false,
      emitDebugEvents: false,
      includeTypes: ["*"],
      excludeTypes: ["secret*", "*.private"],
      includeComponents: [] as string[],
      excludeComponents: ["noisy*"],
    };
    const { bus } = testBus(filter({}));
    const passes = (type: string, source?: string, language?: string) =>
      bus.publish({ type, source, ...(language === undefined ? {} : { language }) }) === "accepted";
    expect(passes("tool.started")).toBe(true);
    expect(passes("secrets.read")).toBe(false);
    expect(passes("a.private", undefined, "lua")).toBe(false);
    expect(passes("a", "noisy_tool")).toBe(false);
    expect(passes("a", "tool")).toBe(true);
    for (const type of ["state.changed", "tool.timing", "x.debug"]) {
      expect(passes(type)).toBe(false);
      expect(passes(type, undefined, "lua")).toBe(true);
    }
    expect(testBus(filter({ includeTypes: ["tool.*"] })).bus.publish({ type: "agent.x" })).toBe("filtered");
    expect(testBus(filter({ enabled: false })).bus.publish({ type: "a" })).toBe("filtered");
  });
});

describe("a token bucket", () => {
  test("lets a burst through and then so many a second", () => {
    let nowMs = 0;
    const bucket = new TokenBucket(100, 20, () => nowMs);
    const take = () => Array.from({ length: 1000 }, () => bucket.take()).filter(Boolean).length;
    expect(take()).toBe(20);
    nowMs += 50;
    expect(take()).toBe(5);
    nowMs += 3_600_000;
    expect(take()).toBe(20);
  });
});
