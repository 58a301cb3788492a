/** A run whose calls of models are counted, bounded or only planned, as its request or the configuration says. */
import type { Config } from "../config/schema.ts";
import { type Plan, type PlannedModelCall, planOnly } from "../core/plan.ts";
import { runAsTask } from "../core/task.ts";
import type { BudgetLimits } from "../models/calls/budget.ts";
import { payFor } from "../models/calls/payer.ts";
import { RunAccount } from "../models/calls/run-account.ts";
import type { KernelEvent, PlannedCalls, RunCalls } from "./api.ts";

/** Whether anything is to be done for a run. */
export function watchesCalls(config: Config, calls: RunCalls = {}): boolean {
  return Boolean(calls.usage) || calls.dryRun === true || limitsOf(config, calls) !== undefined;
}

/** Runs the work as the task `script`, to which all calls of models in it belong. */
export function withRunCalls<T>(
  config: Config,
  calls: RunCalls = {},
  emit: (event: KernelEvent) => void,
  work: () => Promise<T>,
): Promise<T> {
  const account = new RunAccount(limitsOf(config, calls));
  const plan = calls.dryRun ? new NotedPlan() : undefined;
  return runAsTask("script", async (task) => {
    payFor(task, account);
    if (plan !== undefined) planOnly(task, plan);
    try {
      return await work();
    } finally {
      if (plan !== undefined) emit({ type: "planned", planned: plan.noted() });
      if (calls.usage) emit({ type: "usage", usage: account.report() });
    }
  });
}

function limitsOf(config: Config, { budget = {} }: RunCalls): BudgetLimits | undefined {
  const { tokens, cost_usd, calls, time_seconds } = config.models.budget;
  const limits: BudgetLimits = {
    ...(tokens === undefined ? {} : { tokens }),
    ...(cost_usd === undefined ? {} : { costUsd: cost_usd }),
    ...(calls === undefined ? {} : { calls }),
    ...(time_seconds === undefined ? {} : { timeMs: time_seconds * 1000 }),
    ...budget,
  };
  return Object.keys(limits).length === 0 ? undefined : limits;
}

type PlannedModels = PlannedCalls["models"][number];

class NotedPlan implements Plan {
  private readonly models = new Map<string, PlannedModels>();
  private readonly tools = new Map<string, PlannedCalls["tools"][number]>();

  model({ provider, model, kind, promptTokens, maxTokens, maxCostUsd }: PlannedModelCall): void {
    const key = `${provider}/${model} ${kind}`;
    const known = this.models.get(key);
    const of: PlannedModels = known ?? { provider, model, kind, calls: 0, prompt_tokens: 0, max_tokens: 0 };
    this.models.set(key, of);
    of.calls++;
    of.prompt_tokens += promptTokens;
    of.max_tokens = of.max_tokens === null || maxTokens === undefined ? null : of.max_tokens + maxTokens;
    if (maxCostUsd === null) return;
    const before = known === undefined ? 0 : (of.max_cost_usd ?? null);
    of.max_cost_usd = before === null || maxCostUsd === undefined ? null : before + maxCostUsd;
  }

  tool(name: string, ran: boolean): void {
    const of = this.tools.get(`${name} ${ran}`) ?? { tool: name, calls: 0, ran };
    this.tools.set(`${name} ${ran}`, of);
    of.calls++;
  }

  noted(): PlannedCalls {
    const models = [...this.models.values()];
    const costs = models.flatMap(({ max_cost_usd }) => (max_cost_usd === undefined ? [] : [max_cost_usd]));
    const sum = costs.reduce<number | null>(
      (total, cost) => (total === null || cost === null ? null : total + cost),
      0,
    );
    return { models, tools: [...this.tools.values()], max_cost_usd: sum };
  }
}
