/** What may be spent on calls of models: taken before a call, settled after it, so that side by side nobody overspends. */
import { steadyMs } from "../../core/clock.ts";
import { SpellError } from "../../core/errors.ts";

export interface BudgetLimits {
  tokens?: number;
  costUsd?: number;
  calls?: number;
  /** No call begins later than this after the budget was made. */
  timeMs?: number;
}

/** What a call takes, or took. */
export interface Spending {
  tokens: number;
  costUsd: number;
}

/** The most that a call may take. */
export interface Need {
  /** Named in the refusal: `openai/gpt-4o`. */
  model: string;
  tokens: number;
  /** Undefined: the price is unknown. */
  costUsd: number | undefined;
}

export interface Reservation {
  /** The call has ended. @param spent what it took; a call may settle once */
  settle(spent: Spending): void;
}

export class Budget {
  private readonly startMs: number;
  private calls = 0;
  private readonly spent: Spending = { tokens: 0, costUsd: 0 };
  /** Reserved by calls that have not ended. */
  private readonly held: Spending = { tokens: 0, costUsd: 0 };

  /** @param of whose it is, as messages say it: `the script`, `agent "ada"` */
  constructor(
    readonly of: string,
    readonly limits: BudgetLimits,
    private readonly now: () => number = steadyMs,
  ) {
    this.startMs = limits.timeMs === undefined ? 0 : now();
  }

  /** Tokens that no call has taken or reserved; undefined where they are not bounded. */
  get tokensLeft(): number | undefined {
    return left(this.limits.tokens, this.spent.tokens + this.held.tokens);
  }

  get costLeftUsd(): number | undefined {
    return left(this.limits.costUsd, this.spent.costUsd + this.held.costUsd);
  }

  get boundsSize(): boolean {
    return this.limits.tokens !== undefined || this.limits.costUsd !== undefined;
  }

  /** @throws SpellError limit, naming the budget, what is left and what the call needs */
  check(need: Need): void {
    const { tokens, costUsd, calls, timeMs } = this.limits;
    if (calls !== undefined && this.calls >= calls)
      throw this.refusal(need, "calls", { allowed: calls, left: 0, needed: 1 }, String);
    if (timeMs !== undefined) {
      const leftMs = timeMs - (this.now() - this.startMs);
      if (leftMs <= 0) throw this.refusal(need, "time", { allowed: timeMs, left: 0 }, seconds);
    }
    if (tokens !== undefined && need.tokens > this.tokensLeft!)
      throw this.refusal(
        need,
        "tokens",
        { allowed: tokens, left: this.tokensLeft!, needed: need.tokens, held: this.held.tokens },
        String,
      );
    if (costUsd === undefined) return;
    if (need.costUsd === undefined) {
      throw new SpellError(
        "limit",
        `Cannot call model ${need.model}: the cost budget of ${this.of} is ${usd(costUsd)}, and the model's price is unknown`,
        {
          data: { limit: "budget", budget: this.of, resource: "cost", allowed: costUsd },
          hint: "Give the price in [models.prices] or [providers.NAME.prices], or bound tokens instead",
        },
      );
    }
    // Sums of fractions of a cent are not exact.
    if (need.costUsd > this.costLeftUsd! + 1e-12)
      throw this.refusal(
        need,
        "cost",
        { allowed: costUsd, left: this.costLeftUsd!, needed: need.costUsd, held: this.held.costUsd },
        usd,
      );
  }

  /** Only after `check`, with nothing awaited in between. */
  take(need: Need): Reservation {
    const taken: Spending = { tokens: need.tokens, costUsd: need.costUsd ?? 0 };
    this.calls++;
    add(this.held, taken, 1);
    let isOpen = true;
    return {
      settle: (spent) => {
        if (!isOpen) return;
        isOpen = false;
        add(this.held, taken, -1);
        add(this.spent, spent, 1);
      },
    };
  }

  /** What is allowed and what is left of it, under the names of documents. */
  report(): Record<string, unknown> {
    const { tokens, costUsd, calls, timeMs } = this.limits;
    const part = (allowed: number | undefined, spent: number) =>
      allowed === undefined ? undefined : { allowed, spent, left: Math.max(0, allowed - spent) };
    const parts = {
      tokens: part(tokens, this.spent.tokens),
      cost_usd: part(costUsd, this.spent.costUsd),
      calls: part(calls, this.calls),
      time_ms: timeMs === undefined ? undefined : { allowed: timeMs },
    };
    return {
      of: this.of,
      ...Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
    };
  }

  private refusal(
    { model }: Need,
    resource: "tokens" | "cost" | "calls" | "time",
    figures: { allowed: number; left: number; needed?: number; held?: number },
    show: (value: number) => string,
  ): SpellError {
    const { allowed, left: rest, needed, held = 0 } = figures;
    const waiting = held > 0 ? ` (${show(held)} more are held by calls that run)` : "";
    const need = resource === "time" ? "its time is up" : `${show(rest)} left${waiting}`;
    const call = needed === undefined ? "" : `, the call may take ${show(needed)}`;
    return new SpellError(
      "limit",
      `Cannot call model ${model}: the ${resource} budget of ${this.of} is ${show(allowed)}: ${need}${call}`,
      {
        data: { limit: "budget", budget: this.of, resource, ...figures },
        hint: HINTS[resource],
      },
    );
  }
}

export const isBudgetRefusal = (error: unknown): boolean =>
  error instanceof SpellError && error.code === "limit" && error.data.limit === "budget";

/** Takes from every budget or from none. @throws SpellError limit, of the first that does not allow it */
export function reserve(budgets: readonly Budget[], need: Need): Reservation {
  for (const budget of budgets) budget.check(need);
  const taken = budgets.map((budget) => budget.take(need));
  return {
    settle: (spent) => {
      for (const reservation of taken) reservation.settle(spent);
    },
  };
}

const HINTS = {
  tokens: "Raise the budget, lower max_tokens, or send less",
  cost: "Raise the budget, lower max_tokens, or use a cheaper model",
  calls: "Raise the budget, or ask less often",
  time: "Raise the budget",
} as const;

function add(to: Spending, what: Spending, sign: 1 | -1): void {
  to.tokens += sign * what.tokens;
  to.costUsd += sign * what.costUsd;
}

const left = (limit: number | undefined, gone: number): number | undefined =>
  limit === undefined ? undefined : Math.max(0, limit - gone);

const usd = (value: number): string => `$${Number(value.toPrecision(6))}`;
const seconds = (ms: number): string => `${ms / 1000} s`;
