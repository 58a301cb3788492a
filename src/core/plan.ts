/** A run that calls nothing: what it would call is noted instead (`--dry-run`). */
import { currentTasks, type Task } from "./task.ts";

export interface PlannedModelCall {
  provider: string;
  model: string;
  kind: "chat" | "embeddings" | "rerank";
  /** About. */
  promptTokens: number;
  /** Longest answer; undefined where the call names none. */
  maxTokens: number | undefined;
  /** At most, in USD; undefined where it is unknown, null for models of this machine. */
  maxCostUsd: number | undefined | null;
}

export interface Plan {
  model(call: PlannedModelCall): void;
  /** @param ran it only computes, so it is called all the same */
  tool(name: string, ran: boolean): void;
}

const plans = new WeakMap<Task, Plan>();

/** Within the task nothing is called from now on. */
export function planOnly(task: Task, plan: Plan): void {
  plans.set(task, plan);
}

/** Where calls are noted instead of made; undefined where they are made. */
export function currentPlan(): Plan | undefined {
  const outermost = currentTasks()[0];
  return outermost === undefined ? undefined : plans.get(outermost);
}
