import { describe, expect, test } from "bun:test";
import { Log, type LogRecord, silentLog } from "../../../src/core/log.ts";
import { Sender } from "../../../src/tracing/sender.ts";
import { type Answer, Collector } from "../../support/collector.ts";

async function sent(answer: Answer, signal = new AbortController().signal, timeoutMs = 10_000) {
  using collector = new Collector(answer);
  const records: LogRecord[] = [];
  const sender = new Sender({
    target: { url: `${collector.endpoint}/v1/traces?token=hidden`, headers: { "x-key": "hidden" } },
    what: "traces",
    timeoutMs,
    isCompressed: true,
    log: new Log((record) => records.push(record), "warn"),
  });
  const startMs = performance.now();
  const isTaken = await sender.send({ a: "é" }, signal);
  return { isTaken, records, received: collector.received, ms: performance.now() - startMs };
}

const status = (code: number, headers: Record<string, string> = {}) =>
  new Response("", { status: code, headers });
const ok = () => Response.json({});

describe("Sender", () => {
  test("posts JSON, compressed where that is asked for, with the headers it was given", async () => {
    const { isTaken, received } = await sent(ok);
    expect(isTaken).toBe(true);
    const [{ text, headers }] = received as [(typeof received)[number]];
    expect(text).toBe('{"a":"é"}');
    expect([headers.get("content-type"), headers.get("content-encoding"), headers.get("x-key")]).toEqual([
      "application/json",
      "gzip",
      "hidden",
    ]);
  });

  test.each([429, 502, 503, 504])("tries again after %d", async (code) => {
    const { isTaken, received, records } = await sent((n) => (n < 1 ? status(code) : ok()));
    expect([isTaken, received.length, records.length]).toEqual([true, 2, 0]);
  });

  test("waits as long as Retry-After says", async () => {
    const { ms } = await sent((n) => (n === 0 ? status(503, { "retry-after": "2" }) : ok()));
    expect(ms).toBeGreaterThanOrEqual(2000);
  });

  test.each([400, 401, 404, 500, 302])(
    "gives up at once after %d, and says so without secrets",
    async (code) => {
      const { isTaken, received, records } = await sent(() => status(code, { location: "/elsewhere" }));
      expect([isTaken, received.length]).toEqual([false, 1]);
      expect(records.map(({ message }) => message)).toEqual([`Cannot export traces: HTTP ${code}`]);
      expect(JSON.stringify(records)).not.toContain("hidden");
    },
  );

  test("says what the collector refused of a message that it took", async () => {
    const { isTaken, records } = await sent(() =>
      Response.json({ partialSuccess: { rejectedSpans: "3", errorMessage: "too old" } }),
    );
    expect([isTaken, records[0]?.message]).toEqual([
      true,
      "Cannot export traces: 3 refused by the collector",
    ]);
  });

  test("a collector that hangs is left when the time is over", async () => {
    const signal = AbortSignal.timeout(300);
    const { isTaken, records } = await sent(() => new Promise<Response>(() => {}), signal);
    expect([isTaken, records[0]?.message]).toEqual([false, "Cannot export traces: no answer in time"]);
  });

  test("a wait for the next attempt ends with the time too", async () => {
    const signal = AbortSignal.timeout(300);
    const { isTaken, received } = await sent(() => status(429, { "retry-after": "3600" }), signal);
    expect([isTaken, received.length]).toEqual([false, 1]);
  });

  test("a program that ends tries once where nobody listens, and waits no longer than it may", async () => {
    const senderTo = ({ endpoint }: Collector) =>
      new Sender({
        target: { url: `${endpoint}/v1/traces`, headers: {} },
        what: "traces",
        timeoutMs: 10_000,
        isCompressed: false,
        log: silentLog,
      });
    const ended = async (collector: Collector) => {
      const sender = senderTo(collector);
      sender.endWithin(60_000);
      return sender.send({}, new AbortController().signal);
    };
    const nobody = new Collector();
    nobody[Symbol.dispose]();
    expect(await ended(nobody)).toBe(false);
    using later = new Collector((n) => (n === 0 ? status(429) : ok()));
    expect(await ended(later)).toBe(true);
    using busy = new Collector(() => status(429, { "retry-after": "3600" }));
    const sender = senderTo(busy);
    const sending = sender.send({}, new AbortController().signal);
    while (busy.received.length === 0) await Bun.sleep(1);
    sender.endWithin(1000);
    expect(await sending).toBe(false);
    expect(busy.received.length).toBeLessThanOrEqual(2);
  });
});
