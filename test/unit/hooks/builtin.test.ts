import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../src/core/errors.ts";
import { cut } from "../../../src/hooks/builtin/logging.ts";
import { delayOf } from "../../../src/hooks/builtin/retry.ts";
import type { HookedOperation } from "../../../src/hooks/service.ts";
import { input, OPERATION, testHooks } from "./support.ts";

const operation = (
  data: Record<string, unknown> = {},
  more: Partial<HookedOperation> = {},
): HookedOperation => ({
  ...OPERATION,
  data: { params: {}, ...data },
  metadata: { security_level: "safe", tool_origin: "builtin" },
  ...more,
});

const agent = (data: Record<string, unknown>, more: Partial<HookedOperation> = {}): HookedOperation => ({
  before: "BeforeAgentExecution",
  after: "AfterAgentExecution",
  error: "AgentError",
  component: { type: "Agent", name: "ada" },
  data,
  ...more,
});

const failing = (
  times: number,
  code: "timeout" | "network" | "invalid_argument" = "timeout",
  statusCode?: number,
) => {
  let calls = 0;
  return {
    count: () => calls,
    work: () => {
      if (++calls <= times) throw new SpellError(code, "broken", { data: { statusCode } });
      return calls;
    },
  };
};

describe("switching built-in hooks on", () => {
  test("the configuration does it where hooks.enabled is true, and not otherwise", async () => {
    for (const enabled of [true, false]) {
      const { hooks } = await testHooks({
        change: (section) => {
          section.enabled = enabled;
          section.builtin = { metrics: { enabled: true, points: ["ToolError"] } };
        },
      });
      expect(hooks.list().map(({ name, tags }) => [name, tags])).toEqual(
        enabled ? [["metrics", ["builtin"]]] : [],
      );
      expect(hooks.has("ToolError")).toBe(enabled);
    }
  });

  test("a script does it with options over those of the configuration, and again in its place", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching", { max_entries: 5 });
    await hooks.enableBuiltin("caching");
    expect(hooks.list()).toHaveLength(1);
    expect(hooks.builtinReport("caching")).toMatchObject({ max_entries: 1000 });
    expect([hooks.disableBuiltin("caching"), hooks.disableBuiltin("caching")]).toEqual([true, false]);
    expect(() => hooks.builtinReport("caching")).toThrow('Cannot read built-in hook "caching": it is not on');
  });

  test("a wrong name or option is refused", async () => {
    const { hooks } = await testHooks();
    expect(hooks.enableBuiltin("loging")).rejects.toThrow("Cannot find built-in hook: loging");
    expect(hooks.enableBuiltin("logging", { levl: "info" })).rejects.toThrow("hooks.builtin.logging.levl");
    expect(hooks.enableBuiltin("retry", { max_attempts: 0 })).rejects.toThrow("must be greater than 0: 0");
    expect(hooks.enableBuiltin("cost_tracking", { prices: { x: [1] } })).rejects.toThrow("prices.x");
    expect(hooks.list()).toEqual([]);
  });

  test("they stand at the priorities of the specification", async () => {
    const { hooks } = await testHooks();
    for (const name of ["cost_tracking", "retry", "rate_limit", "logging", "security"])
      await hooks.enableBuiltin(name);
    expect(hooks.list().map(({ name, priority }) => [name, priority])).toEqual([
      ["rate_limit", -2147483648],
      ["security", -2147483648],
      ["retry", -100],
      ["cost_tracking", 100],
      ["logging", 100],
    ]);
  });
});

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

describe("caching", () => {
  const slow = (ms: number) => {
    let calls = 0;
    return async () => {
      calls++;
      await Bun.sleep(ms);
      return calls;
    };
  };

  test("answers the same call again, and no other", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching");
    const work = slow(15);
    const ask = (params: object, more = {}) => hooks.around(operation({ params }, more), work);
    expect([await ask({ a: 1 }), await ask({ a: 1 }), await ask({ a: 2 })]).toEqual([1, 1, 2]);
    expect(await ask({ a: 1 }, { component: { type: "Tool", name: "other" } })).toBe(3);
    expect(hooks.builtinReport("caching")).toMatchObject({ hits: 1, entries: 3 });
  });

  test("keeps no quick call, no failure, and nothing of tools that reach outside or belong to scripts", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching");
    const quick = slow(0);
    for (const n of [1, 2]) expect(await hooks.around(operation(), quick)).toBe(n);
    for (const metadata of [
      { security_level: "restricted", tool_origin: "builtin" },
      { security_level: "safe", tool_origin: "registered" },
    ]) {
      const work = slow(15);
      for (const n of [1, 2]) expect(await hooks.around(operation({ metadata }, { metadata }), work)).toBe(n);
    }
  });

  test("tells conversations of an agent apart", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching");
    const work = slow(15);
    const ask = (identity: string) =>
      hooks.around(agent({ input: "hi" }, { identity: () => identity }), work);
    expect([await ask("a"), await ask("a"), await ask("b")]).toEqual([1, 1, 2]);
  });

  test("never stands between a state write and the store", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("caching", { points: ["BeforeStateWrite"], min_duration_ms: 0 });
    const work = slow(1);
    const write = operation({}, { before: "BeforeStateWrite", component: { type: "System", name: "state" } });
    for (const n of [1, 2]) expect(await hooks.around(write, work)).toBe(n);
  });
});

describe("rate limit", () => {
  const calls = async (hooks: Awaited<ReturnType<typeof testHooks>>["hooks"], n: number, more = {}) => {
    let passed = 0;
    for (let i = 0; i < n; i++)
      await hooks
        .around(operation({}, more), () => 1)
        .then(
          () => passed++,
          (error: SpellError) => expect(error.message).toContain("rate limit of"),
        );
    return passed;
  };

  test("lets the capacity through at once, then as much as comes back, and gathers the burst", async () => {
    const { hooks, clock } = await testHooks();
    await hooks.enableBuiltin("rate_limit");
    expect(await calls(hooks, 150)).toBe(100);
    clock.ms += 1000;
    expect(await calls(hooks, 50)).toBe(10);
    clock.ms += 3_600_000 - 1;
    expect(await calls(hooks, 200)).toBe(150);
  });

  test("each component has a bucket of its own, or all have one, or each value of a key", async () => {
    const other = { component: { type: "Tool", name: "other" } };
    for (const [options, passed] of [
      [{ capacity: 2 }, 2],
      [{ capacity: 2, strategy: "Global" }, 0],
      [{ capacity: 2, strategy: "Custom", key: "{component.type}" }, 0],
      [{ capacity: 2, strategy: "PerKey", key: "component.name" }, 2],
    ] as const) {
      const { hooks } = await testHooks();
      await hooks.enableBuiltin("rate_limit", options);
      expect(await calls(hooks, 3)).toBe(2);
      expect(await calls(hooks, 3, other)).toBe(passed);
    }
  });

  test("Delay waits for a token, Redirect runs another target, ReturnCached gives the last result of the same call", async () => {
    const delay = await testHooks({ now: () => performance.now() });
    await delay.hooks.enableBuiltin("rate_limit", {
      capacity: 1,
      burst: 0,
      refill_per_second: 50,
      action: "Delay",
    });
    const startMs = performance.now();
    expect(await calls(delay.hooks, 4)).toBe(4);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(50);

    const redirect = await testHooks({ targets: { agent: async (name) => `${name} answers` } });
    await redirect.hooks.enableBuiltin("rate_limit", {
      capacity: 1,
      action: "Redirect",
      redirect_to: "agent:bob",
    });
    await calls(redirect.hooks, 1);
    expect(await redirect.hooks.around(operation(), () => "own")).toBe("bob answers");

    const cached = await testHooks();
    await cached.hooks.enableBuiltin("rate_limit", { capacity: 2, action: "ReturnCached" });
    let n = 0;
    const ask = (params: object) => cached.hooks.around(operation({ params }), () => ++n);
    expect([await ask({ a: 1 }), await ask({ a: 1 }), await ask({ a: 1 })]).toEqual([1, 2, 2]);
    expect(ask({ a: 2 })).rejects.toThrow("rate limit of 2 calls is reached");
  });

  test("leaves its figures in the metadata and warns once when it is near", async () => {
    const { hooks, add, lines } = await testHooks();
    await hooks.enableBuiltin("rate_limit", { capacity: 10 });
    const left: unknown[] = [];
    await add(
      ({ metadata }) =>
        void left.push(metadata["X-RateLimit-Limit"], metadata["X-RateLimit-Remaining"]) as undefined,
    );
    await calls(hooks, 9);
    expect(left.slice(-2)).toEqual(["10", "1"]);
    expect(lines.filter(({ message }) => message === "rate limit is near")).toHaveLength(1);
  });
});

describe("retry", () => {
  test("repeats what may pass and nothing else", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("retry", { initial_delay_ms: 1 });
    for (const [code, status, attempts] of [
      ["timeout", undefined, 3],
      ["network", undefined, 3],
      ["invalid_argument", undefined, 1],
      ["invalid_argument", 503, 3],
      ["invalid_argument", 404, 1],
    ] as const) {
      const { work, count } = failing(9, code, status);
      await hooks.around(operation(), work).catch(() => undefined);
      expect([code, status, count()]).toEqual([code, status, attempts]);
    }
    expect(await hooks.around(operation(), failing(2).work)).toBe(3);
  });

  test("gives up when the time for all attempts would be over", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("retry", { initial_delay_ms: 5000, max_total_secs: 4 });
    const { work, count } = failing(9);
    expect(hooks.around(operation(), work)).rejects.toThrow("broken");
    await Bun.sleep(5);
    expect(count()).toBe(1);
  });

  test("waits grow, stay within their bound, and are spread as asked", () => {
    const options = {
      initial_delay_ms: 100,
      multiplier: 2,
      max_delay_ms: 1000,
    } as Parameters<typeof delayOf>[0];
    const delays = (jitter: "None" | "Full" | "Equal" | "Decorrelated", random: number) =>
      [1, 2, 3, 4, 5].map((attempt) => delayOf({ ...options, jitter }, attempt, 200, () => random));
    expect(delays("None", 0.9)).toEqual([100, 200, 400, 800, 1000]);
    expect(delays("Full", 0.5)).toEqual([50, 100, 200, 400, 500]);
    expect(delays("Equal", 0.5)).toEqual([75, 150, 300, 600, 750]);
    expect(delays("Decorrelated", 0.5)).toEqual([350, 350, 350, 350, 350]);
  });
});

describe("cost tracking", () => {
  const spend = (prompt_tokens: number, completion_tokens: number, model = "gpt-4-0613") => ({
    point: "AfterAgentExecution",
    component: { type: "Agent", name: "ada" } as const,
    data: { model, tokens: { prompt_tokens, completion_tokens } },
  });

  test("adds up by model and leaves unknown models at nothing", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("cost_tracking", { prices: { "spell-mini": [1, 2] } });
    await hooks.run(spend(1000, 1000));
    await hooks.run(spend(2000, 0, "openai/gpt-3.5-turbo"));
    await hooks.run(spend(500, 500, "spell-mini"));
    await hooks.run(spend(1000, 1000, "gpt-4o"));
    const report = hooks.builtinReport("cost_tracking") as {
      total_usd: number;
      models: Record<string, object>;
    };
    expect(report.total_usd).toBeCloseTo(0.09 + 0.001 + 1.5, 10);
    expect(report.models["gpt-4o"]).toMatchObject({ calls: 1, cost_usd: 0 });
  });

  test("warns at each sum once, cancels calls at the last, and lets them through when the window has passed", async () => {
    const { hooks, clock, lines } = await testHooks();
    await hooks.enableBuiltin("cost_tracking");
    const ask = () => hooks.around(agent({ model: "gpt-4" }), () => "answer");
    await hooks.run(spend(200_000, 100_000)); // 12 USD
    await hooks.run(spend(1000, 0));
    expect(lines.map(({ fields }) => fields?.alert_usd)).toEqual([10]);
    expect(await ask()).toBe("answer");
    await hooks.run(spend(3_000_000, 0)); // 90 USD
    expect(lines.map(({ fields }) => fields?.alert_usd)).toEqual([10, 50, 100]);
    expect(ask()).rejects.toThrow("model calls have cost 102.03 USD, the limit is 100");
    clock.ms += 3_600_001;
    expect(await ask()).toBe("answer");
  });
});

describe("security", () => {
  const report = (hooks: Awaited<ReturnType<typeof testHooks>>["hooks"]) =>
    hooks.builtinReport("security") as {
      events: { severity: string; findings: { rule: string; detail: string }[]; data: object }[];
      counts: Record<string, number>;
    };

  test.each([
    ["2 + 2", []],
    ["see https://example.org/a..b", []],
    ["../../etc/passwd", ["path_traversal"]],
    ["C:\\..\\windows", ["path_traversal"]],
    ["x; rm -rf /", ["command_injection"]],
    ["$(curl evil)", ["command_injection"]],
    ["' OR 1=1", ["code_injection"]],
    ["<script>alert(1)</script>", ["code_injection"]],
    ["x".repeat(10_001), ["length"]],
  ])("finds in %p: %p", async (text, rules) => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security");
    await hooks.run(input({ params: { deep: [{ text }] } }));
    const [event] = report(hooks).events;
    expect(event!.findings.map(({ rule }) => rule)).toEqual(rules);
    if (rules[0] !== undefined && rules[0] !== "length")
      expect(event!.findings[0]!.detail).toBe("params.deep[1].text");
  });

  test("audits without secrets, from the severity asked for, and keeps the last events", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", { max_events: 2, min_severity: "high" });
    await hooks.run(input({ params: { a: "harmless" } }));
    for (const n of [1, 2, 3]) await hooks.run(input({ n, params: { authorization: "x", path: "../x" } }));
    const { events, counts } = report(hooks);
    expect(events.map(({ data }) => data)).toEqual([
      { n: 2, params: { authorization: "<REDACTED>", path: "../x" } },
      { n: 3, params: { authorization: "<REDACTED>", path: "../x" } },
    ]);
    expect(counts).toMatchObject({ info: 1, high: 3 });
  });

  test("only watches, unless it may block", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security");
    const risky = operation({ params: { path: "../x" } });
    expect(await hooks.around(risky, () => "done")).toBe("done");
    await hooks.enableBuiltin("security", { blocking: true });
    expect(hooks.around(risky, () => "done")).rejects.toThrow("security rule path_traversal: params.path");
  });

  test("counts calls that come too often, and keeps denials", async () => {
    const { hooks } = await testHooks();
    await hooks.enableBuiltin("security", { max_calls_per_minute: 3 });
    for (let i = 0; i < 4; i++) await hooks.run(input());
    await hooks.run(input({ rule: "sandbox", detail: "no" }, "SecurityViolation"));
    expect(report(hooks).events.map(({ findings }) => findings.map(({ rule }) => rule))).toEqual([
      [],
      [],
      [],
      ["rate"],
      ["denial"],
    ]);
  });
});
