/** `budget{...}` of agents and workflows, as scripts write it. */
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isPlainObject } from "../../core/values.ts";
import type { BudgetLimits } from "./budget.ts";

const KEYS = ["tokens", "cost", "calls", "time"] as const;

/**
 * @param of what is built, as messages say it
 * @param given `{tokens?, cost?, calls?, time?}`, cost in USD and time in seconds; undefined gives undefined
 * @throws SpellError invalid_argument
 */
export function budgetLimits(of: string, given: unknown): BudgetLimits | undefined {
  if (given === undefined || given === null) return undefined;
  const refuse = (rule: string, hint?: string) =>
    new SpellError("invalid_argument", `Cannot build ${of}: "budget" ${rule}`, {
      hint: hint ?? "Write budget = {tokens = 20000, cost = 0.5, calls = 20, time = 60}",
    });
  if (!isPlainObject(given)) throw refuse("must be a table");
  for (const [key, value] of Object.entries(given)) {
    if (!KEYS.includes(key as (typeof KEYS)[number]))
      throw refuse(`has no "${key}"`, didYouMean(key, KEYS) ?? `It has ${KEYS.join(", ")}`);
    const amount = typeof value === "bigint" ? Number(value) : value;
    if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0)
      throw refuse(`must have numbers of 0 or more: ${key} is ${String(value)}`);
    if ((key === "tokens" || key === "calls") && !Number.isInteger(amount))
      throw refuse(`must have a whole number of ${key}: ${amount}`);
  }
  const { tokens, cost, calls, time } = given as Partial<Record<(typeof KEYS)[number], number>>;
  return {
    ...(tokens === undefined ? {} : { tokens: Number(tokens) }),
    ...(cost === undefined ? {} : { costUsd: Number(cost) }),
    ...(calls === undefined ? {} : { calls: Number(calls) }),
    ...(time === undefined ? {} : { timeMs: Number(time) * 1000 }),
  };
}

export function budgetTable({ tokens, costUsd, calls, timeMs }: BudgetLimits): Record<string, number> {
  return {
    ...(tokens === undefined ? {} : { tokens }),
    ...(costUsd === undefined ? {} : { cost: costUsd }),
    ...(calls === undefined ? {} : { calls }),
    ...(timeMs === undefined ? {} : { time: timeMs / 1000 }),
  };
}
