/** For whom models are called. It follows the tasks (`core/task.ts`), so it is known in callbacks of scripts too. */
import { currentTasks, type Task } from "../../core/task.ts";
import { Budget, type BudgetLimits } from "./budget.ts";
import { type CallRecord, Usage } from "./usage.ts";

export type PayerKind = "script" | "workflow" | "agent";

export class Payer {
  readonly usage = new Usage();
  readonly budget: Budget | undefined;

  constructor(
    readonly kind: PayerKind,
    readonly name: string,
    limits?: BudgetLimits,
  ) {
    const of = kind === "script" ? "the script" : `${kind} "${name}"`;
    this.budget = limits === undefined ? undefined : new Budget(of, limits);
  }

  /** @param within all for whom it was, outermost first, this one included */
  add(call: CallRecord, _within: readonly Payer[]): void {
    this.usage.add(call);
  }
}

const payers = new WeakMap<Task, Payer>();

/** From now on calls of models within the task are also the payer's. */
export function payFor(task: Task, payer: Payer): void {
  payers.set(task, payer);
}

/** Whose the calls are that are made here, outermost first. */
export function currentPayers(): Payer[] {
  return currentTasks().flatMap((task) => payers.get(task) ?? []);
}
