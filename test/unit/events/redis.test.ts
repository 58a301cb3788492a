/** Two buses, each with its own link, on one Redis server. */
import { describe, expect, test } from "bun:test";
import type { EventBus } from "../../../src/events/bus.ts";
import { RedisLink } from "../../../src/events/redis.ts";
import type { SpellEvent, Subscription } from "../../../src/events/service.ts";
import { HAS_REDIS, redisServer } from "../../support/redis.ts";
import { testBus } from "./support.ts";

async function machine(url: string, channel = "test") {
  const { bus, log, logged } = testBus();
  const link = new RedisLink({
    name: "redis",
    log,
    maxWaiting: 1000,
    maxBatch: 100,
    intervalMs: 1,
    url,
    channel,
    onEvent: (input, provenance) => bus.receiveRemote(input, provenance),
  });
  bus.addOutlet(link);
  await link.start();
  return { bus, logged, [Symbol.asyncDispose]: () => bus.dispose() };
}

const redisOf = (bus: EventBus) => bus.stats().outlets.redis!;

/** What waits, by the number in its data. */
function drain(subscription: Subscription): SpellEvent[] {
  const events: SpellEvent[] = [];
  for (let got = subscription.poll(); got !== undefined; got = subscription.poll()) events.push(got.event);
  const n = ({ data }: SpellEvent) => (data as { n: number }).n;
  return events.sort((a, b) => n(a) - n(b));
}

async function until(what: string, check: () => boolean): Promise<void> {
  for (let waited = 0; !check(); waited++) {
    if (waited > 1000) throw new Error(`Waited too long: ${what}`);
    await Bun.sleep(10);
  }
}

describe.skipIf(!HAS_REDIS)("a bus on two machines", () => {
  test("delivers each event once on both, with its id, correlation and payload, and never in circles", async () => {
    await using server = await redisServer();
    await using here = await machine(server.url);
    await using there = await machine(server.url);
    await using elsewhere = await machine(server.url, "other");
    const [own, remote, foreign] = [here, there, elsewhere].map(({ bus }) => bus.subscribe("*"));
    const correlationId = crypto.randomUUID();
    for (let n = 0; n < 500; n++)
      here.bus.publish({
        type: "order",
        data: { n, list: [1, "ü", null] },
        correlationId,
        tags: ["t"],
        priority: 1,
      });
    there.bus.publish({ type: "order", data: { n: 500, list: [] } });
    await until("all arrive", () => remote!.queued === 501 && own!.queued === 501);
    await Bun.sleep(50);
    expect([own!.queued, remote!.queued, foreign!.queued]).toEqual([501, 501, 0]);
    const [sent, arrived] = [drain(own!), drain(remote!)];
    for (const [n, event] of sent.entries()) {
      expect(arrived[n]!.id).toBe(event.id);
      expect(arrived[n]!.data).toEqual({ n, list: n < 500 ? [1, "ü", null] : [] });
      expect(arrived[n]!.metadata).toEqual(event.metadata);
      expect([event.origin, arrived[n]!.origin]).toEqual(n < 500 ? ["local", "remote"] : ["remote", "local"]);
    }
    expect(redisOf(here.bus)).toMatchObject({ sent: 500, received: 1, dropped: 0, connected: true });
    expect(redisOf(there.bus)).toMatchObject({ sent: 1, received: 500 });
  });

  test("notes a lost server once, keeps events for it, and goes on when it is back", async () => {
    await using server = await redisServer();
    await using here = await machine(server.url);
    await using there = await machine(server.url);
    const remote = there.bus.subscribe("*");
    await server.kill();
    await until("both notice", () => !redisOf(here.bus).connected && !redisOf(there.bus).connected);
    for (let n = 0; n < 50; n++) here.bus.publish({ type: "kept", data: n });
    await server.restart();
    await until("both are back", () => redisOf(here.bus).connected! && redisOf(there.bus).connected!);
    here.bus.publish({ type: "after" });
    await until("the last one arrives", () => redisOf(here.bus).waiting === 0 && remote.queued > 0);
    const lost = here.logged.filter(({ message }) => message.startsWith("the connection to Redis is lost"));
    expect(lost).toHaveLength(1);
    expect(redisOf(here.bus).failures).toBeGreaterThan(0);
    expect(redisOf(here.bus)).toMatchObject({ sent: 51, dropped: 0 });
  });

  test("starts without a server, drops only beyond its bound, counts it, and ends in time", async () => {
    const server = await redisServer();
    await server[Symbol.asyncDispose]();
    const { bus, logged } = await machine(server.url);
    for (let n = 0; n < 5000; n++) bus.publish({ type: "a", data: n });
    await bus.dispose();
    const { sent, dropped, waiting } = redisOf(bus);
    expect(sent).toBe(0);
    expect(dropped + waiting).toBe(5000);
    const told = (start: string) => logged.filter(({ message }) => message.startsWith(start));
    expect(told("events are dropped: redis")).toHaveLength(1);
    expect(told("Redis cannot be reached")).toHaveLength(1);
  });

  test("passes over messages that are no events", async () => {
    await using server = await redisServer();
    await using here = await machine(server.url);
    const subscription = here.bus.subscribe("*");
    const client = new Bun.RedisClient(server.url);
    for (const message of ["nonsense", "{}", '{"origin":"x","events":[{"id":1}]}'])
      await client.publish("test", message);
    await client.publish(
      "test",
      JSON.stringify({
        origin: "x",
        events: [
          { id: crypto.randomUUID(), event_type: "good", timestamp: "2026-01-01T00:00:00Z", metadata: {} },
        ],
      }),
    );
    await until("the good one arrives", () => subscription.queued === 1);
    client.close();
  });
});
