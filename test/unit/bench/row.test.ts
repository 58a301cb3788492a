import { describe, expect, test } from "bun:test";
import { interleave, median, medians } from "../../../bench/measure.ts";
import { type Measurement, row, rows, table, Unavailable } from "../../../bench/row.ts";

const start: Measurement = {
  name: "start",
  unit: "ms",
  ours: 30,
  peer: { name: "node", figure: 40 },
  target: { of: "ours", at: "most", value: 40 },
};

describe("row", () => {
  test("judges our own figure against a limit", () => {
    expect(row(start)).toMatchObject({ ratio: 0.75, target: "≤ 40 ms", holds: "yes" });
    expect(row({ ...start, ours: 40.1 }).holds).toBe("no");
  });

  test("judges the ratio against a share", () => {
    const target = { of: "ratio", at: "least", value: 0.97 } as const;
    const speed = { ...start, unit: "tok/s", target } as const;
    expect(row({ ...speed, ours: 97, peer: { name: "p", figure: 100 } })).toMatchObject({
      target: "ratio ≥ 0.97",
      holds: "yes",
    });
    expect(row({ ...speed, ours: 96, peer: { name: "p", figure: 100 } }).holds).toBe("no");
  });

  test("judges nothing and says why where the figure it needs is missing", () => {
    const peer = { name: "lua5.4", figure: new Unavailable("lua5.4 is not installed") };
    const target = { of: "ratio", at: "most", value: 2 } as const;
    expect(row({ ...start, peer, target })).toMatchObject({
      peer: null,
      ratio: null,
      holds: "n/a",
      note: "lua5.4 is not installed",
    });
    expect(row({ ...start, peer }).holds).toBe("yes");
  });
});

describe("table", () => {
  test("lines its columns up and puts reasons below", () => {
    const missing = row({ ...start, name: "b", ours: new Unavailable("no model") });
    expect(table([row(start), missing])).toBe(
      [
        "name      ours     peer  which peer  ratio  target   holds",
        "start  30.0 ms  40.0 ms  node         0.75  ≤ 40 ms  yes",
        "b            –  40.0 ms  node            –  ≤ 40 ms  n/a",
        "",
        "b: no model",
      ].join("\n"),
    );
  });
});

describe("rows", () => {
  test("stand for one figure beside each of its peers", () => {
    const { peer: _, ...figure } = start;
    const shown = rows(figure, [
      { name: "node", figure: 40 },
      { name: "its own claim", figure: new Unavailable("unknown") },
    ]).map(({ name, ours, ratio, peerName, target, holds }) => [name, ours, ratio, peerName, target, holds]);
    expect(shown).toEqual([
      ["start", 30, 0.75, "node", "≤ 40 ms", "yes"],
      ["start: beside its own claim", 30, null, "its own claim", "≤ 40 ms", "yes"],
    ]);
  });
});

describe("median", () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
  ])("of %p is %p", (samples, expected) => expect(median(samples)).toBe(expected));
});

describe("interleave", () => {
  test("takes turns, first forward then back, and does not count the first round", async () => {
    const order: string[] = [];
    let n = 0;
    const sampler = (name: string) => async () => {
      order.push(name);
      return ++n;
    };
    const samples = await interleave(2, { a: sampler("a"), b: sampler("b") });
    expect(order.join("")).toBe("baabba");
    expect(samples).toEqual({ a: [3, 6], b: [4, 5] });
  });

  test("is summed up by medians", async () => {
    const values = [9, 1, 5, 3];
    expect(await medians(3, { only: async () => values.shift()! })).toEqual({ only: 3 });
  });
});
