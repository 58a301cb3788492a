import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";
import { Prices, wrongOption } from "./prices.ts";

/** Adds up what model calls cost, and stops them where it is too much. */
export function costTrackingHook(
  options: BuiltinOptions<"cost_tracking">,
  { log, now = () => performance.now() }: BuiltinParts,
): Builtin {
  const { block_at, window_secs } = options;
  const prices = new Prices(options.prices, "hooks.builtin.cost_tracking.prices");
  const alerts = readAlerts(options.alerts);
  const told = new Set<number>();
  const byModel: Record<
    string,
    { calls: number; input_tokens: number; output_tokens: number; cost_usd: number }
  > = {};
  const spent: { atMs: number; usd: number }[] = [];
  let totalUsd = 0;
  let blocked = 0;

  const inWindow = () => {
    const from = now() - window_secs * 1000;
    while (spent.length > 0 && spent[0]!.atMs < from) spent.shift();
    return spent.reduce((sum, { usd }) => sum + usd, 0);
  };
  const before = (): HookResult | undefined => {
    const usd = inWindow();
    if (block_at === 0 || usd < block_at) return undefined;
    blocked++;
    return {
      type: "cancel",
      reason: `model calls have cost ${usd.toFixed(2)} USD, the limit is ${block_at}`,
    };
  };
  const after = (context: HookContext) => {
    const { model, inputTokens: input, outputTokens: output, costUsd: usd } = prices.use(context);
    byModel[model] ??= { calls: 0, input_tokens: 0, output_tokens: 0, cost_usd: 0 };
    const sums = byModel[model];
    sums.calls++;
    sums.input_tokens += input;
    sums.output_tokens += output;
    sums.cost_usd += usd;
    totalUsd += usd;
    if (usd > 0) spent.push({ atMs: now(), usd });
    const sum = inWindow();
    for (const alert of alerts) {
      if (sum < alert) told.delete(alert);
      else if (!told.has(alert)) {
        told.add(alert);
        log.warn("hook", "model calls have become expensive", { cost_usd: sum, alert_usd: alert });
      }
    }
    return undefined;
  };
  return {
    description: "Adds up what model calls cost",
    spec: {
      points: ["BeforeAgentExecution", "AfterAgentExecution"],
      run: (context) => (context.point === "BeforeAgentExecution" ? before() : after(context)),
      priority: PRIORITIES.low,
      immediate: true,
    },
    report: () => ({ total_usd: totalUsd, window_usd: inWindow(), blocked, models: byModel }),
  };
}

function readAlerts(given: readonly string[]): number[] {
  return given.map((text) => {
    const sum = Number(text);
    if (Number.isFinite(sum) && sum > 0) return sum;
    throw wrongOption("hooks.builtin.cost_tracking.alerts", `must be sums in USD: ${text}`);
  });
}
