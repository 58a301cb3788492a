import { describe, expect, test } from "bun:test";
import { testHooks } from "../support.ts";
import { agent } from "./support.ts";

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

  test("cancels from the sum that is set, of the seconds that are set; 0 never does", async () => {
    const { hooks, clock } = await testHooks();
    const ask = () => hooks.around(agent({ model: "gpt-4" }), () => "answer");
    await hooks.enableBuiltin("cost_tracking", { block_at: 3, window_secs: 60 });
    await hooks.run(spend(50_000, 0)); // 1.5 USD
    clock.ms += 40_000;
    expect(await ask()).toBe("answer");
    await hooks.run(spend(50_000, 0));
    await expect(ask()).rejects.toThrow("model calls have cost 3.00 USD, the limit is 3");
    clock.ms += 20_001;
    expect(await ask()).toBe("answer");
    expect(hooks.builtinReport("cost_tracking")).toMatchObject({ total_usd: 3, window_usd: 1.5, blocked: 1 });
    await hooks.enableBuiltin("cost_tracking", { block_at: 0 });
    await hooks.run(spend(30_000_000, 0));
    expect(await ask()).toBe("answer");
  });

  test("warns at the sums that are set", async () => {
    const { hooks, lines } = await testHooks();
    await hooks.enableBuiltin("cost_tracking", { alerts: ["0.5", "2"] });
    await hooks.run(spend(10_000, 0)); // 0.3 USD
    expect(lines).toEqual([]);
    await hooks.run(spend(10_000, 0));
    await hooks.run(spend(60_000, 0));
    expect(lines.map(({ fields }) => fields?.alert_usd)).toEqual([0.5, 2]);
  });
});
