import { afterEach, describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import {
  currentSpan,
  meterWith,
  type SpanInput,
  span,
  traceWith,
  withinSpan,
} from "../../../src/core/span.ts";
import { RecordingTracer, type SpanRecord } from "../../../src/tracing/tracer.ts";

let tracing: Disposable | undefined;
afterEach(() => tracing?.[Symbol.dispose]());

function record(holdsContent = false): SpanRecord[] {
  const ended: SpanRecord[] = [];
  tracing = traceWith(new RecordingTracer({ onEnd: (one) => ended.push(one), holdsContent }));
  return ended;
}

const input = (operation: string, more: Partial<SpanInput> = {}): SpanInput => ({
  category: "debug",
  operation,
  ...more,
});

describe("span", () => {
  test("is a plain call where nobody watches", () => {
    const error = new Error("mine");
    expect(span(input("a"), () => 7)).toBe(7);
    expect(() =>
      span(input("a"), () => {
        throw error;
      }),
    ).toThrow(error);
    expect(currentSpan()).toBeUndefined();
    expect(withinSpan({}, () => 8)).toBe(8);
  });

  test("keeps its parent across waits, and beside others that run at once", async () => {
    const ended = record();
    await span(input("root"), () =>
      Promise.all(
        ["a", "b"].map((name) =>
          span(input(name), async () => {
            await Bun.sleep(name === "a" ? 5 : 1);
            await span(input(`${name}-inner`), () => Bun.sleep(1));
          }),
        ),
      ),
    );
    const ids = new Map(ended.map((one) => [one.name, one.spanId]));
    const parents = Object.fromEntries(ended.map((one) => [one.name, one.parentSpanId]));
    expect(parents).toEqual({
      "debug.root": undefined,
      "debug.a": ids.get("debug.root"),
      "debug.b": ids.get("debug.root"),
      "debug.a-inner": ids.get("debug.a"),
      "debug.b-inner": ids.get("debug.b"),
    });
    expect(new Set(ended.map(({ traceId }) => traceId)).size).toBe(1);
  });

  test("can be taken up again where the context was lost, and put aside", () => {
    const ended = record();
    let kept: object | undefined;
    span(input("outer"), () => {
      kept = currentSpan();
      withinSpan(undefined, () => span(input("apart"), () => undefined));
    });
    withinSpan(kept, () => span(input("late"), () => undefined));
    const [apart, outer, late] = ended;
    expect([apart!.parentSpanId, late!.parentSpanId]).toEqual([undefined, outer!.spanId]);
  });

  test("that fails says the kind of the failure, its text only where content is held", async () => {
    const fail = () =>
      span(input("f"), async () => {
        throw new SpellError("not_found", "secret");
      });
    const quiet = record();
    await expect(fail()).rejects.toThrow("secret");
    tracing?.[Symbol.dispose]();
    const open = record(true);
    await expect(fail()).rejects.toThrow("secret");
    expect([quiet[0]!.error, open[0]!.error]).toEqual([
      { type: "not_found" },
      { type: "not_found", message: "secret" },
    ]);
  });

  test("of a frame is recorded only where something belongs to it or it fails", () => {
    const ended = record();
    const frame = (name: string, work: () => unknown) => span(input(name, { isFrame: true }), work);
    frame("empty", () => 1);
    frame("full", () => span(input("inside"), () => 1));
    span(input("outer"), () => frame("failed", () => span(input("x"), (one) => one.fail("timeout"))));
    expect(ended.map(({ name }) => name)).toEqual([
      "debug.inside",
      "debug.full",
      "debug.x",
      "debug.failed",
      "debug.outer",
    ]);
  });

  test("is told to meters with what was said of it, whether traced or not", async () => {
    const told: unknown[] = [];
    using _ = meterWith(({ operation }, attributes, durationMs, error) =>
      told.push([operation, attributes, durationMs >= 0, error]),
    );
    span(input("a", { attributes: { x: 1 } }), (one) => one.set({ y: "z" }));
    const ended = record();
    await expect(
      span(input("b"), async () => {
        throw new TypeError("bug");
      }),
    ).rejects.toThrow("bug");
    expect(told).toEqual([
      ["a", { x: 1, y: "z" }, true, undefined],
      ["b", {}, true, "TypeError"],
    ]);
    expect(ended.length).toBe(1);
  });
});
