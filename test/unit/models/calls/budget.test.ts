import { describe, expect, test } from "bun:test";
import { SpellError } from "../../../../src/core/errors.ts";
import { Budget, type BudgetLimits, type Need, reserve } from "../../../../src/models/calls/budget.ts";
import { uniform } from "../../../support/random.ts";

const need = (tokens: number, costUsd: number | undefined = 0): Need => ({ model: "p/m", tokens, costUsd });

function refusal(body: () => unknown): SpellError {
  try {
    body();
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("it was allowed");
}

describe("A budget", () => {
  test("gives back what a call did not take", () => {
    const budget = new Budget("the script", { tokens: 100 });
    const call = reserve([budget], need(80));
    expect(budget.tokensLeft).toBe(20);
    call.settle({ tokens: 30, costUsd: 0 });
    expect(budget.tokensLeft).toBe(70);
    call.settle({ tokens: 30, costUsd: 0 });
    expect(budget.tokensLeft).toBe(70);
  });

  test("names itself, what is left, what is held and what the call needs", () => {
    const budget = new Budget('agent "ada"', { tokens: 100 });
    reserve([budget], need(60));
    const error = refusal(() => reserve([budget], need(50)));
    expect(error.code).toBe("limit");
    expect(error.message).toBe(
      'Cannot call model p/m: the tokens budget of agent "ada" is 100: 40 left (60 more are held by calls that run), the call may take 50',
    );
    expect(error.data).toEqual({
      limit: "budget",
      budget: 'agent "ada"',
      resource: "tokens",
      allowed: 100,
      left: 40,
      needed: 50,
      held: 60,
    });
    expect(error.hint).toContain("max_tokens");
  });

  test("of money refuses a model whose price nobody knows", () => {
    const budget = new Budget("the script", { costUsd: 1 });
    expect(refusal(() => reserve([budget], { ...need(10), costUsd: undefined })).message).toContain(
      "the model's price is unknown",
    );
    reserve([budget], need(10, 0)); // of this machine: nothing is paid
  });

  test("of money can be spent to the last cent, whatever the sums of fractions give", () => {
    const budget = new Budget("the script", { costUsd: 0.3 });
    for (let i = 0; i < 3; i++) reserve([budget], need(0, 0.1)).settle({ tokens: 0, costUsd: 0.1 });
    expect(refusal(() => reserve([budget], need(0, 0.1))).data.resource).toBe("cost");
  });

  test("of time refuses calls after its end and none before", () => {
    let now = 1000;
    const budget = new Budget("the script", { timeMs: 500 }, () => now);
    now = 1499;
    reserve([budget], need(1));
    now = 1500;
    expect(refusal(() => reserve([budget], need(1))).message).toContain(
      "the time budget of the script is 0.5 s: its time is up",
    );
  });

  test("takes from none of several where one refuses", () => {
    const wide = new Budget("the script", { tokens: 1000, calls: 10 });
    const narrow = new Budget('agent "a"', { tokens: 10 });
    refusal(() => reserve([wide, narrow], need(20)));
    expect(wide.tokensLeft).toBe(1000);
    expect(wide.report()).toMatchObject({ calls: { spent: 0 } });
  });
});

/** What the budgets should say, kept as lists of calls and summed anew each time. */
class Model {
  readonly open: { need: Need; id: number }[] = [];
  readonly ended: { tokens: number; costUsd: number }[] = [];
  calls = 0;

  constructor(readonly limits: BudgetLimits) {}

  allows({ tokens, costUsd }: Need): boolean {
    const sum = (of: readonly { tokens: number; costUsd: number }[], key: "tokens" | "costUsd") =>
      of.reduce((total, one) => total + one[key], 0);
    const held = this.open.map((call) => ({ tokens: call.need.tokens, costUsd: call.need.costUsd! }));
    const used = (key: "tokens" | "costUsd") => sum(held, key) + sum(this.ended, key);
    if (this.limits.calls !== undefined && this.calls + 1 > this.limits.calls) return false;
    if (this.limits.tokens !== undefined && used("tokens") + tokens > this.limits.tokens) return false;
    return this.limits.costUsd === undefined || used("costUsd") + costUsd! <= this.limits.costUsd;
  }
}

describe("Budgets shared by parallel branches", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("follow the model and are never overspent, seed %i", (seed) => {
    const random = uniform(seed);
    const whole = (below: number) => Math.floor(random() * below);
    // Costs are eighths of a dollar, so that sums are exact.
    const limitsOf = (): BudgetLimits => ({
      ...(random() < 0.8 ? { tokens: 500 + whole(2000) } : {}),
      ...(random() < 0.8 ? { costUsd: 5 + whole(80) / 8 } : {}),
      ...(random() < 0.5 ? { calls: 5 + whole(60) } : {}),
    });
    const all = Array.from({ length: 4 }, (_, i) => {
      const limits = limitsOf();
      return { budget: new Budget(`budget ${i}`, limits), model: new Model(limits) };
    });
    const running: {
      id: number;
      in: typeof all;
      need: Need;
      settle: (s: { tokens: number; costUsd: number }) => void;
    }[] = [];
    let refused = 0;
    for (let step = 0; step < 600; step++) {
      if (running.length > 0 && random() < 0.45) {
        const [call] = running.splice(whole(running.length), 1);
        const share = random();
        const spent = {
          tokens: Math.floor(call!.need.tokens * share),
          costUsd: Math.floor(call!.need.costUsd! * 8 * share) / 8,
        };
        call!.settle(spent);
        for (const { model } of call!.in) {
          model.open.splice(
            model.open.findIndex(({ id }) => id === call!.id),
            1,
          );
          model.ended.push(spent);
        }
      } else {
        const within = all.filter(() => random() < 0.6);
        const asked = need(1 + whole(120), (1 + whole(8)) / 8);
        const isAllowed = within.every(({ model }) => model.allows(asked));
        const ask = () =>
          reserve(
            within.map(({ budget }) => budget),
            asked,
          );
        if (!isAllowed) {
          refused++;
          refusal(ask);
          continue;
        }
        const { settle } = ask();
        running.push({ id: step, in: within, need: asked, settle });
        for (const { model } of within) {
          model.calls++;
          model.open.push({ need: asked, id: step });
        }
      }
      for (const { budget, model } of all) {
        const spent = model.ended.reduce((sum, { tokens }) => sum + tokens, 0);
        const { tokens } = model.limits;
        if (tokens === undefined) continue;
        expect(spent).toBeLessThanOrEqual(tokens);
        const held = model.open.reduce((sum, call) => sum + call.need.tokens, 0);
        expect(budget.tokensLeft).toBe(tokens - spent - held);
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});
