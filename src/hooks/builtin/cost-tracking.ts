import { SpellError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";
import { PRIORITIES } from "../priority.ts";
import type { HookContext, HookResult } from "../service.ts";
import type { Builtin, BuiltinOptions, BuiltinParts } from "./index.ts";

/** USD for 1000 tokens. */
interface Price {
  input: number;
  output: number;
}

const KNOWN: Readonly<Record<string, Price>> = {
  "gpt-4": { input: 0.03, output: 0.06 },
  "gpt-3.5-turbo": { input: 0.0005, output: 0.0015 },
  "claude-3-opus": { input: 0.015, output: 0.075 },
  "claude-3-sonnet": { input: 0.003, output: 0.015 },
};

/** Adds up what model calls cost, and stops them where it is too much. */
export function costTrackingHook(
  options: BuiltinOptions<"cost_tracking">,
  { log, now = () => performance.now() }: BuiltinParts,
): Builtin {
  const { block_at, window_secs } = options;
  const prices = new Map(Object.entries({ ...KNOWN, ...readPrices(options.prices) }));
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
  const after = ({ data, component }: HookContext) => {
    const model = typeof data.model === "string" ? data.model : component.name;
    const { prompt_tokens: input = 0, completion_tokens: output = 0 } = (
      isPlainObject(data.tokens) ? data.tokens : {}
    ) as { prompt_tokens?: number; completion_tokens?: number };
    const price = priceOf(prices, model);
    const usd = (input * price.input + output * price.output) / 1000;
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

/** By exact name, or the name of a dated version of it: `gpt-4-0613`. Others cost nothing. */
function priceOf(prices: ReadonlyMap<string, Price>, model: string): Price {
  const name = model.slice(model.lastIndexOf("/") + 1);
  return (
    prices.get(model) ??
    prices.get(name) ??
    prices.get(name.replace(/-(\d{4}|\d{8}|\d{4}-\d\d-\d\d)$/, "")) ??
    FREE
  );
}

const FREE: Price = { input: 0, output: 0 };

function readPrices(given: Record<string, unknown>): Record<string, Price> {
  return Object.fromEntries(
    Object.entries(given).map(([model, pair]) => {
      const isPair =
        Array.isArray(pair) && pair.length === 2 && pair.every((n) => typeof n === "number" && n >= 0);
      if (!isPair) throw wrong(`prices.${model}`, "must be [input, output] in USD for 1000 tokens");
      return [model, { input: pair[0], output: pair[1] }];
    }),
  );
}

function readAlerts(given: readonly string[]): number[] {
  return given.map((text) => {
    const sum = Number(text);
    if (Number.isFinite(sum) && sum > 0) return sum;
    throw wrong("alerts", `must be sums in USD: ${text}`);
  });
}

function wrong(key: string, rule: string): SpellError {
  const path = `hooks.builtin.cost_tracking.${key}`;
  return new SpellError("config", `Configuration validation failed in field '${path}': ${rule}`, {
    data: { path },
  });
}
