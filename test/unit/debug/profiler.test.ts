import { describe, expect, test } from "bun:test";
import { percentile } from "../../../src/core/percentile.ts";
import { Profiler } from "../../../src/debug/profiler.ts";
import { foldedStacks, jsonReport, memorySnapshot, textReport } from "../../../src/debug/reports.ts";

/** A profiler on a clock that the test moves. */
function profilerAt() {
  let now = 1_000;
  const profiler = new Profiler(() => now);
  const pass = (ms: number) => {
    now += ms;
  };
  return { profiler, pass };
}

describe("Timer", () => {
  test("gives the milliseconds once, then nothing", () => {
    const { profiler, pass } = profilerAt();
    const timer = profiler.start("work", 0);
    pass(12.5);
    expect(timer.elapsed()).toBe(12.5);
    expect(timer.stop()).toBe(12.5);
    expect(timer.stop()).toBeUndefined();
    expect(timer.elapsed()).toBeUndefined();
    expect(timer.lap("late")).toBe(false);
  });
});

describe("foldedStacks", () => {
  test("gives each nesting its own time in microseconds", () => {
    const { profiler, pass } = profilerAt();
    const run = profiler.start("run", 0);
    pass(10);
    const load = profiler.start("load", 0);
    pass(5);
    load.stop();
    const again = profiler.start("load", 0);
    pass(7);
    const parse = profiler.start("parse;it", 0);
    pass(2);
    parse.stop();
    again.stop();
    run.stop();
    expect(foldedStacks(profiler)).toBe("run 10000\nrun;load 12000\nrun;load;parse_it 2000");
  });

  test("makes a timer that started after its neighbour stopped no child of it", () => {
    const { profiler, pass } = profilerAt();
    const a = profiler.start("a", 0);
    pass(1);
    a.stop();
    const b = profiler.start("b", 0);
    pass(1);
    b.stop();
    expect(foldedStacks(profiler)).toBe("a 1000\nb 1000");
  });

  test("copes with timers that stop in the wrong order", () => {
    const { profiler, pass } = profilerAt();
    const outer = profiler.start("outer", 0);
    const inner = profiler.start("inner", 0);
    pass(3);
    outer.stop();
    pass(4);
    inner.stop();
    const next = profiler.start("next", 0);
    next.stop();
    expect(foldedStacks(profiler)).toBe("next 0\nouter 0\nouter;inner 7000");
  });
});

describe("percentile", () => {
  test.each([
    [50, 35],
    [30, 20],
    [40, 20],
    [5, 15],
    [100, 50],
  ])("takes the nearest rank: the %pth of 15, 20, 35, 40, 50", (percent, expected) => {
    expect(percentile([35, 20, 15, 50, 40], percent)).toBe(expected);
  });
});

describe("jsonReport", () => {
  test("holds counts, totals, percentiles, running timers and events", () => {
    const { profiler, pass } = profilerAt();
    for (let ms = 1; ms <= 100; ms++) {
      const timer = profiler.start("step", 0);
      pass(ms);
      timer.stop();
    }
    const running = profiler.start("open", 0);
    pass(4);
    running.lap("half");
    expect(profiler.note(profiler.find(running.id), "event", "hit", { key: "k" })).toBe(true);
    expect(profiler.note(profiler.find("timer-1"), "event", "late")).toBe(false);
    const report = JSON.parse(jsonReport(profiler));
    expect(report.timers).toEqual([
      {
        name: "step",
        path: "step",
        count: 100,
        total_ms: 5050,
        self_ms: 5050,
        mean_ms: 50.5,
        min_ms: 1,
        max_ms: 100,
        p50_ms: 50,
        p95_ms: 95,
        p99_ms: 99,
      },
    ]);
    expect(report.running).toEqual([{ id: running.id, name: "open", elapsed_ms: 4 }]);
    expect(report.events).toEqual([
      { timer_id: running.id, timer: "open", kind: "lap", name: "half", elapsed_ms: 4 },
      {
        timer_id: running.id,
        timer: "open",
        kind: "event",
        name: "hit",
        elapsed_ms: 4,
        metadata: { key: "k" },
      },
    ]);
  });
});

describe("textReport", () => {
  test("says when there is nothing to report", () => {
    expect(textReport(new Profiler())).toBe("Performance report: no timers");
  });

  test("indents nested timers and aligns its columns", () => {
    const { profiler, pass } = profilerAt();
    const run = profiler.start("run", 0);
    const load = profiler.start("load", 0);
    pass(1.25);
    load.stop();
    run.stop();
    const [, header, first, second] = textReport(profiler).split("\n");
    expect(header).toMatch(/^timer +count +total ms +self ms +mean ms/);
    expect(first).toMatch(/^run +1 +1\.250 +0\.000 +1\.250/);
    expect(second).toMatch(/^ {2}load +1 +1\.250 +1\.250/);
    expect(first!.length).toBe(header!.length);
  });
});

describe("memorySnapshot", () => {
  test("tells what each running timer has seen the heap grow by", () => {
    const { profiler } = profilerAt();
    profiler.start("a", 1_000);
    profiler.start("b", 1_500);
    profiler.start("stopped", 0).stop();
    const again = profiler.start("a", 1_800);
    expect(memorySnapshot(profiler.running(), 2_000, 1_700_000_000_999)).toEqual({
      timestamp_secs: 1_700_000_000,
      active_trackers: 3,
      total_memory_delta_bytes: 1_000 + 500 + 200,
      tracker_memory_usage: {
        a: { start_bytes: 1_000, end_bytes: 2_000, delta_bytes: 1_000 },
        b: { start_bytes: 1_500, end_bytes: 2_000, delta_bytes: 500 },
        [`a#${again.id}`]: { start_bytes: 1_800, end_bytes: 2_000, delta_bytes: 200 },
      },
    });
  });

  test("leaves the sums out where nothing runs", () => {
    expect(memorySnapshot([], 5, 2_000)).toEqual({ timestamp_secs: 2, active_trackers: 0 });
  });
});

describe("Profiler", () => {
  test("stays bounded when timers are made up without end and never stopped", () => {
    const { profiler } = profilerAt();
    for (let i = 0; i < 30_000; i++) profiler.start(`t${i}`, 0);
    expect(profiler.running().length).toBe(10_000);
    expect(Math.max(...profiler.running().map((timer) => timer.path.length))).toBeLessThanOrEqual(65);
  });

  test("counts further names together once there are too many", () => {
    const { profiler } = profilerAt();
    for (let i = 0; i < 10_500; i++) profiler.start(`t${i}`, 0).stop();
    const counts = profiler.times().map((times) => times.count);
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(10_500);
    expect(profiler.times().length).toBeLessThanOrEqual(10_001);
  });
});
