/** The bus of a kernel that several clients share, and subscriptions that end with the interpreter. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ExecuteRequest } from "../../src/kernel/api.ts";
import { type ListeningKernel, listeningKernel } from "../support/listening-kernel.ts";

const script = (code: string): ExecuteRequest => ({
  type: "execute",
  code,
  name: "test",
  args: { script: "test", positional: [], named: {} },
  language: "lua",
  stream: false,
});

let kernel: ListeningKernel;
beforeAll(async () => {
  kernel = await listeningKernel();
});
afterAll(async () => {
  await kernel[Symbol.asyncDispose]();
});

async function value(code: string): Promise<unknown> {
  const client = await kernel.connect();
  const reply = await client.request(script(code));
  await client.shutdown();
  return reply.status === "ok" ? reply.value : reply.error;
}

describe("the bus of a kernel", () => {
  test("keeps what one client publishes for another, and calls functions in the next execution", async () => {
    await value(
      `id = Event.subscribe("note.*") seen = {} Event.on("note.*", function(e) seen[#seen + 1] = e.data end)`,
    );
    await value(`for i = 1, 3 do Event.publish("note.x", i) end`);
    expect(
      await value(`Event.flush() return {Event.receive(id).data, Event.receive(id).data, #seen, seen[3]}`),
    ).toEqual([1, 2, 3, 3]);
  });

  test("tells listeners of the kernel about executions, each under its own correlation", async () => {
    const bus = await kernel.hub.events();
    const told = bus.subscribe("kernel.*");
    await value("return 1");
    await value("error('no')");
    const events = [];
    for (let got = told.poll(); got !== undefined; got = told.poll()) events.push(got.event);
    told.end();
    expect(events.map(({ type }) => type)).toEqual([
      ...["kernel.execute_request", "kernel.status_change", "kernel.execute_reply", "kernel.status_change"],
      ...["kernel.execute_request", "kernel.status_change", "kernel.execute_reply", "kernel.status_change"],
    ]);
    const [replied, failed] = events.filter(({ type }) => type === "kernel.execute_reply");
    expect(replied!.data).toMatchObject({ status: "ok" });
    expect(failed!.data).toMatchObject({ status: "error", error: expect.stringContaining("no") });
    expect(new Set(events.map(({ metadata }) => metadata.correlationId)).size).toBe(2);
  });

  test("goes on answering others while a script waits for an event, and an interrupt ends the wait", async () => {
    const client = await kernel.connect();
    const stop = new AbortController();
    const waiting = client.request(script(`return Event.receive(Event.subscribe("never"), 600000)`), {
      signal: stop.signal,
    });
    const other = await kernel.connect();
    expect(await other.request({ type: "is_complete", code: "x = 1" })).toMatchObject({ status: "ok" });
    stop.abort();
    expect(await waiting).toMatchObject({ status: "error", error: { code: "interrupted" } });
    await Promise.all([client.shutdown(), other.shutdown()]);
  });

  test("ends a script's subscriptions with its interpreter", async () => {
    await value(`Event.subscribe("a") Event.on("b", function() end)`);
    const client = await kernel.connect();
    expect(await client.request({ type: "reset" })).toMatchObject({ status: "ok" });
    await client.shutdown();
    expect(await value("return #Event.list_subscriptions()")).toBe(0);
    expect((await kernel.hub.events()).subscriptions()).toEqual([]);
  });
});
