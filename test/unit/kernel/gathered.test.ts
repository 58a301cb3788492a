import { describe, expect, test } from "bun:test";
import type { KernelEvent } from "../../../src/kernel/api.ts";
import { GatheredEvents } from "../../../src/kernel/gathered.ts";

function gathered() {
  const told: KernelEvent[] = [];
  return { told, events: new GatheredEvents((event) => told.push(event)) };
}
const out = (text: string | Uint8Array): KernelEvent => ({ type: "stream", stream: "stdout", text });
const token = (agent: string, text: string): KernelEvent => ({ type: "token", agent, text });

describe("Output that is not sent piece by piece", () => {
  test("comes in its order, each kind in one piece as long as no other stands between", () => {
    const { told, events } = gathered();
    const error: KernelEvent = { type: "stream", stream: "stderr", text: "e" };
    const shown: KernelEvent = { type: "display", value: [1], text: "[1]\n" };
    for (const event of [
      out("a"),
      out("b\n"),
      token("x", "Hel"),
      token("x", "lo"),
      token("y", "!"),
      error,
      shown,
      out("c"),
    ])
      events.add(event);
    expect(told).toEqual([]);
    events.flush();
    expect(told).toEqual([out("ab\n"), token("x", "Hello"), token("y", "!"), error, shown, out("c")]);
    events.flush();
    expect(told).toHaveLength(6);
  });

  test("keeps bytes that are no text", () => {
    const { told, events } = gathered();
    for (const piece of ["é", Uint8Array.of(0xff, 0), "z"]) events.add(out(piece));
    events.flush();
    expect(told.map((event) => Buffer.from((event as { text: string }).text).toString("hex"))).toEqual([
      "c3a9ff007a",
    ]);
  });

  test("lets pass what is no output, and what becomes too much", () => {
    const { told, events } = gathered();
    const progress: KernelEvent = { type: "progress", label: "pull", done: 1 };
    events.add(out("a"));
    events.add(progress);
    expect(told).toEqual([progress]);
    events.add(out("x".repeat(2 ** 20)));
    expect(told.at(-1)).toEqual(out(`a${"x".repeat(2 ** 20)}`));
  });
});
