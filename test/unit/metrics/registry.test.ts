import { describe, expect, test } from "bun:test";
import { Log, type LogRecord } from "../../../src/core/log.ts";
import { MAX_SERIES } from "../../../src/metrics/instrument.ts";
import { checkLabels } from "../../../src/metrics/names.ts";
import { MAX_SCRIPT_METRICS, MetricsRegistry } from "../../../src/metrics/registry.ts";

describe("a counter", () => {
  test("sums its series, all or those with the labels asked for", () => {
    const metrics = new MetricsRegistry();
    const calls = metrics.own("tool.calls", { kind: "counter" });
    calls.add(2, { tool: "a", host: "x" });
    calls.add(3, { tool: "a", host: "y" });
    calls.add(5, { tool: "b", host: "x" });
    expect(metrics.get("tool.calls")).toBe(10);
    expect(metrics.get("tool.calls", { tool: "a" })).toBe(5);
    expect(metrics.get("tool.calls", { tool: "a", host: "y" })).toBe(3);
    expect(metrics.get("tool.calls", { tool: "c" })).toBeUndefined();
  });

  test("is one series whatever the order of its labels", () => {
    const metrics = new MetricsRegistry();
    const way = "add" as const;
    const otherwise = { kind: "counter" as const };
    metrics.scripts.take({ way, name: "n", value: 1, labels: checkLabels("x", { a: 1, b: 2 }), otherwise });
    metrics.scripts.take({ way, name: "n", value: 1, labels: checkLabels("x", { b: 2, a: 1 }), otherwise });
    expect(metrics.snapshot()).toEqual({ n: 2, 'n{a="1",b="2"}': 2 });
  });

  test("does not fall, which is said once for each metric", () => {
    const records: LogRecord[] = [];
    const { scripts } = new MetricsRegistry(new Log((record) => records.push(record), "warn"));
    const fall = (name: string) =>
      scripts.take({ way: "add", name, value: -1, labels: {}, otherwise: { kind: "counter" } });
    for (const name of ["n", "n", "m"]) fall(name);
    expect(records.map(({ message }) => message)).toEqual([
      "Cannot raise metric: counters only rise: n: -1",
      "Cannot raise metric: counters only rise: m: -1",
    ]);
  });
});

describe("a gauge", () => {
  test("is what was said last, and has no sum", () => {
    const metrics = new MetricsRegistry();
    const queue = metrics.own("queue", { kind: "gauge" });
    queue.record(4);
    queue.record(2);
    queue.add(-3);
    expect(metrics.get("queue")).toBe(-1);
    queue.record(7, { name: "a" });
    expect(metrics.get("queue")).toBeUndefined();
    expect(metrics.get("queue", { name: "a" })).toBe(7);
  });
});

describe("a histogram", () => {
  test("gives count, sum, mean, extremes and percentiles by nearest rank", () => {
    const metrics = new MetricsRegistry();
    const times = metrics.own("t", { kind: "histogram" });
    for (let i = 100; i >= 1; i--) times.record(i, { half: i > 50 ? "upper" : "lower" });
    expect(metrics.get("t")).toBe(50.5);
    const asked = ["count", "sum", "mean", "min", "max", "p50", "p95", "p99"];
    expect(asked.map((word) => metrics.get(`t.${word}`))).toEqual([100, 5050, 50.5, 1, 100, 50, 95, 99]);
    expect(asked.map((word) => metrics.get(`t.${word}`, { half: "upper" }))).toEqual([
      50, 3775, 75.5, 51, 100, 75, 98, 100,
    ]);
    expect(metrics.get("t.p42")).toBeUndefined();
  });

  test("a value on a bound belongs to the bucket below it", () => {
    const metrics = new MetricsRegistry();
    const sizes = metrics.own("s", { kind: "histogram", buckets: [1, 10] });
    for (const value of [0, 1, 1.5, 10, 11]) sizes.record(value);
    const [series] = [...sizes.series];
    expect((series!.value as { counts: number[] }).counts).toEqual([2, 2, 1]);
  });
});

describe("bounds", () => {
  test("label combinations past the limit count as one, which is said once", () => {
    const records: LogRecord[] = [];
    const metrics = new MetricsRegistry(new Log((record) => records.push(record), "warn"));
    const visits = metrics.own("visits", { kind: "counter" });
    for (let i = 0; i < MAX_SERIES + 50; i++) visits.add(1, { user: String(i) });
    expect(metrics.get("visits")).toBe(MAX_SERIES + 50);
    expect(metrics.get("visits", { overflow: "true" })).toBe(50);
    expect([...visits.series].length).toBe(MAX_SERIES + 1);
    expect(records.map(({ message }) => message)).toEqual([
      "More than 200 label combinations: the rest counts as one",
    ]);
  });

  test("scripts have so many metrics; more are dropped, which is said once", () => {
    const records: LogRecord[] = [];
    const metrics = new MetricsRegistry(new Log((record) => records.push(record), "warn"));
    for (let i = 0; i < MAX_SCRIPT_METRICS + 3; i++)
      metrics.scripts.take({
        way: "record",
        name: `m${i}`,
        value: 1,
        labels: {},
        otherwise: { kind: "gauge" },
      });
    expect(metrics.families().length).toBe(MAX_SCRIPT_METRICS);
    expect(records.length).toBe(1);
    expect(() => metrics.scripts.declare("more", { kind: "gauge" })).toThrow(
      "Cannot make metric: there are 1000 already: more",
    );
  });

  test("a name of another kind is refused, and one that Prometheus would show alike", () => {
    const { scripts } = new MetricsRegistry();
    scripts.declare("a.b", { kind: "counter" });
    expect(() => scripts.declare("a.b", { kind: "gauge" })).toThrow(
      "Cannot use metric as a gauge: it is a counter",
    );
    expect(() => scripts.declare("a-b", { kind: "counter" })).toThrow('Prometheus would show it as "a.b"');
    expect(() => scripts.declare("a.b.total", { kind: "gauge" })).toThrow(
      'Prometheus would show it as "a.b"',
    );
    expect(() => scripts.declare("h", { kind: "histogram", buckets: [2, 1] })).toThrow("rising numbers");
  });
});
