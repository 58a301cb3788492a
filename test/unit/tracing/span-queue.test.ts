import { describe, expect, test } from "bun:test";
import { SpanQueue } from "../../../src/tracing/span-queue.ts";
import type { SpanRecord } from "../../../src/tracing/tracer.ts";

const spanOf = (name: string, attributes: SpanRecord["attributes"] = {}): SpanRecord => ({
  traceId: "a".repeat(32),
  spanId: "b".repeat(16),
  parentSpanId: undefined,
  name,
  isClient: false,
  startNs: 1n,
  endNs: 2n,
  attributes,
  error: undefined,
});

describe("SpanQueue", () => {
  test("sends batches in order, one on its way at a time, and the rest at the end", async () => {
    const batches: string[][] = [];
    let onTheWay = 0;
    const queue = new SpanQueue({
      batchSize: 3,
      send: async (batch) => {
        expect(++onTheWay).toBe(1);
        await Bun.sleep(1);
        onTheWay--;
        batches.push(batch.map(({ name }) => name));
        return true;
      },
    });
    for (let i = 0; i < 8; i++) queue.add(spanOf(String(i)));
    await queue.close(10_000);
    expect(batches).toEqual([
      ["0", "1", "2"],
      ["3", "4", "5"],
      ["6", "7"],
    ]);
    expect(queue.dropped).toBe(0);
  });

  test("does not wait for a full batch", async () => {
    const first = Promise.withResolvers<number>();
    const queue = new SpanQueue({
      delayMs: 5,
      send: async (batch) => {
        first.resolve(batch.length);
        return true;
      },
    });
    queue.add(spanOf("a"));
    queue.add(spanOf("b"));
    expect(await first.promise).toBe(2);
  });

  test("drops what finds no room, what is refused and what is late, and counts it", async () => {
    const refusing = new SpanQueue({ send: async () => false });
    refusing.add(spanOf("a"));
    await refusing.close(10_000);
    expect(refusing.dropped).toBe(1);

    const hanging = new SpanQueue({
      capacity: 5,
      batchSize: 2,
      send: (_, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve(false), { once: true })),
    });
    for (let i = 0; i < 10; i++) hanging.add(spanOf(String(i)));
    await hanging.close(20);
    hanging.add(spanOf("late"));
    expect(hanging.dropped).toBe(11);
  });

  test("a batch holds no more text than a collector takes", async () => {
    const sizes: number[] = [];
    const queue = new SpanQueue({
      send: async (batch) => {
        sizes.push(batch.length);
        return true;
      },
    });
    const prompt = "x".repeat(30_000);
    for (let i = 0; i < 100; i++) queue.add(spanOf("chat", { prompt }));
    await queue.close(10_000);
    expect(sizes.reduce((a, b) => a + b)).toBe(100);
    expect(Math.max(...sizes) * prompt.length).toBeLessThanOrEqual(1_000_000);
  });
});
