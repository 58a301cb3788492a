import { describe, expect, test } from "bun:test";
import { cut } from "../../../../src/hooks/builtin/logging.ts";
import { input, testHooks } from "../support.ts";

describe("logging", () => {
  test("one line for each point, its data cut and without secrets", async () => {
    const { hooks, lines } = await testHooks();
    await hooks.enableBuiltin("logging", { max_data_bytes: 60 });
    await hooks.run(input({ params: { apiKey: "s3cret", text: "x".repeat(100) } }));
    expect(lines).toHaveLength(1);
    const [{ level, category, message, fields }] = lines as [(typeof lines)[0]];
    expect([level, category, message, fields?.component]).toEqual([
      "info",
      "hook",
      "BeforeToolExecution",
      "adder",
    ]);
    expect(Buffer.byteLength(String(fields?.data))).toBe(60 + Buffer.byteLength("…"));
    expect(String(fields?.data)).toContain('"apiKey":"<REDACTED>"');
  });

  test("hooks after it find logged_at", async () => {
    const { hooks, add } = await testHooks();
    await hooks.enableBuiltin("logging");
    let at = "";
    await add(
      ({ metadata }) => {
        at = metadata.logged_at ?? "";
        return undefined;
      },
      { priority: 200 },
    );
    await hooks.run(input());
    expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
  });

  test("cuts between characters", () => {
    expect(cut("aé€😀", 100)).toBe("aé€😀");
    expect(cut("aé€😀", 9)).toBe("aé€…");
    expect(cut("aé€😀", 2)).toBe("a…");
  });
});

describe("metrics", () => {
  test("count ends, failures and times by component", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("metrics");
    for (const duration_ms of [1, 3, 30, 20_000])
      await hooks.run(input({ duration_ms }, "AfterToolExecution"));
    await hooks.run(input({ duration_ms: 7, error: "x" }, "ToolError"));
    const report = hooks.builtinReport("metrics") as Record<string, unknown> & {
      histogram: { le_ms: number | null; count: number }[];
    };
    expect(report).toMatchObject({
      count: 5,
      failures: 1,
      success_rate: 0.8,
      min_ms: 1,
      max_ms: 20_000,
      p50_ms: 7,
    });
    expect(report.histogram.filter(({ count }) => count > 0)).toEqual([
      { le_ms: 1, count: 1 },
      { le_ms: 5, count: 1 },
      { le_ms: 10, count: 1 },
      { le_ms: 50, count: 1 },
      { le_ms: null, count: 1 },
    ]);
    expect(report.components).toMatchObject({ "tool:adder": { count: 5 } });
  });
});

describe("debugging", () => {
  test("keeps the last traces, with context and stack as asked", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("debugging", { max_traces: 2 });
    for (const n of [1, 2, 3]) await hooks.run(input({ n, params: { token: "t" } }));
    const { traces } = hooks.builtinReport("debugging") as { traces: Record<string, unknown>[] };
    expect(traces.map(({ data }) => data)).toEqual([
      { n: 2, params: { token: "<REDACTED>" } },
      { n: 3, params: { token: "<REDACTED>" } },
    ]);
    expect(traces[0]).toMatchObject({ point: "BeforeToolExecution", stack: expect.any(Array) });
    await hooks.enableBuiltin("debugging", { stack_traces: false, include_context: false });
    await hooks.run(input());
    const { traces: plain } = hooks.builtinReport("debugging") as { traces: Record<string, unknown>[] };
    expect(Object.keys(plain[0]!).sort()).toEqual([
      "component",
      "component_type",
      "correlation_id",
      "point",
      "timestamp",
    ]);
  });
});
