/** What one run of a script has asked of models: in all, and by model, agent and workflow. */
import type { BudgetLimits } from "./budget.ts";
import { Payer } from "./payer.ts";
import { type CallRecord, Usage, type UsageFigures } from "./usage.ts";

export interface UsageReport extends UsageFigures {
  by_model: ({ provider: string; model: string } & UsageFigures)[];
  by_agent: ({ agent: string } & UsageFigures)[];
  by_workflow: ({ workflow: string } & UsageFigures)[];
  budget?: Record<string, unknown>;
}

export class RunAccount extends Payer {
  private readonly models = new Map<string, { provider: string; model: string; usage: Usage }>();
  private readonly agents = new Map<string, Usage>();
  private readonly workflows = new Map<string, Usage>();

  constructor(limits?: BudgetLimits) {
    super("script", "script", limits);
  }

  override add(call: CallRecord, within: readonly Payer[]): void {
    super.add(call, within);
    const { provider, model } = call;
    const key = `${provider}/${model}`;
    const of = this.models.get(key) ?? { provider, model, usage: new Usage() };
    this.models.set(key, of);
    of.usage.add(call);
    // The innermost of each kind made the call; those around it waited.
    this.addTo(this.agents, "agent", call, within);
    this.addTo(this.workflows, "workflow", call, within);
  }

  private addTo(
    sums: Map<string, Usage>,
    kind: Payer["kind"],
    call: CallRecord,
    within: readonly Payer[],
  ): void {
    const name = within.findLast((payer) => payer.kind === kind)?.name;
    if (name === undefined) return;
    const usage = sums.get(name) ?? new Usage();
    sums.set(name, usage);
    usage.add(call);
  }

  /** Sorted by name, so that parallel work reports alike each time. */
  report(): UsageReport {
    const byName = <T>(items: Iterable<[string, T]>) => [...items].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      ...this.usage.figures(),
      by_model: byName(this.models).map(([, { provider, model, usage }]) => ({
        provider,
        model,
        ...usage.figures(),
      })),
      by_agent: byName(this.agents).map(([agent, usage]) => ({ agent, ...usage.figures() })),
      by_workflow: byName(this.workflows).map(([workflow, usage]) => ({ workflow, ...usage.figures() })),
      ...(this.budget === undefined ? {} : { budget: this.budget.report() }),
    };
  }
}
