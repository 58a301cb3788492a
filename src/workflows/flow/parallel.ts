/** Branches side by side, at most so many at a time. */
import { withDeadline } from "../../agents/deadline.ts";
import { SpellError } from "../../core/errors.ts";
import { runAsTask } from "../../core/task.ts";
import { isBudgetRefusal } from "../../models/calls/budget.ts";
import { partOf } from "../journal/journal.ts";
import type { Branch, ParallelDefinition } from "../model.ts";
import { type StepOutcome, textOf } from "../outcome.ts";
import type { Frame } from "./frame.ts";
import type { Ran } from "./kinds.ts";
import { failureOf, type Line, lastValue, runLine } from "./line.ts";
import type { RunNested } from "./perform.ts";

type Ended = { branch: Branch; frame: Frame; line: Line } | { branch: Branch; error: SpellError };

export async function runParallel(
  frame: Frame,
  definition: ParallelDefinition,
  runNested: RunNested,
): Promise<Ran> {
  const { branches, failFast, maxConcurrency } = definition;
  const names = branches.map(({ name }) => name);
  await frame.tell.point("parallel_fork", { branches: names, max_concurrency: maxConcurrency }, frame.signal);
  const stop = new AbortController();
  const together = frame.withSignal(AbortSignal.any([frame.signal, stop.signal]));
  const ended = new Map<Branch, Ended>();
  const pending = branches.values();
  let fatal: { error: unknown } | undefined;
  const worker = async () => {
    for (const branch of pending) {
      if (stop.signal.aborted || frame.signal.aborted) return;
      try {
        const one = await runAsTask(`branch "${branch.name}"`, () => runBranch(together, branch, runNested));
        ended.set(branch, one);
        const failed = "error" in one || one.line.failure !== undefined;
        // where a budget is used up, calls that are paid for may end
        if (failed && failFast && branch.required && !isRefused(one))
          stop.abort(new SpellError("interrupted", `Branch "${branch.name}" failed`));
      } catch (error) {
        if (!stop.signal.aborted) {
          fatal ??= { error };
          stop.abort(new SpellError("interrupted", `Branch "${branch.name}" cannot go on`));
        }
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxConcurrency, branches.length) }, worker));
  if (fatal !== undefined) throw fatal.error;
  if (!frame.signal.aborted)
    await frame.tell.point("parallel_synchronization", { ended: ended.size }, frame.signal);
  for (const branch of branches) {
    const one = ended.get(branch);
    if (one !== undefined && "frame" in one) frame.scope.join(one.frame.scope);
  }
  const ran = summed(definition, ended, stop.signal.aborted);
  await frame.tell.point("parallel_join", { branches: names, ...ran.counts }, frame.signal);
  return ran;
}

function isRefused(one: Ended): boolean {
  if ("error" in one) return isBudgetRefusal(one.error);
  return one.line.failure?.error?.data?.limit === "budget";
}

async function runBranch(frame: Frame, branch: Branch, runNested: RunNested): Promise<Ended> {
  const { name, timeoutMs } = branch;
  const path = `${frame.path}branch:${partOf(name)}/`;
  const run = async (signal: AbortSignal): Promise<Ended> => {
    const own = frame.with({ path, scope: frame.scope.branch() }).withSignal(signal);
    return {
      branch,
      frame: own,
      line: await runLine(own, branch.steps, { branch: name }, runNested, !branch.required),
    };
  };
  if (timeoutMs === undefined) return run(frame.signal);
  const expired = new SpellError("timeout", `branch "${name}" timed out: timeout_ms is ${timeoutMs}`, {
    data: { limit: "timeout_ms", timeoutMs, variant: "Timeout", branch: name },
  });
  try {
    return await withDeadline(timeoutMs, () => expired, [frame.signal], run);
  } catch (error) {
    if (error !== expired) throw error;
    return { branch, error: expired };
  }
}

function summed(
  definition: ParallelDefinition,
  ended: ReadonlyMap<Branch, Ended>,
  stoppedEarly: boolean,
): Ran {
  const { branches, failFast, maxConcurrency } = definition;
  const outputs: [name: string, value: unknown][] = [];
  const outcomes: StepOutcome[] = [];
  const tolerated: StepOutcome[] = [];
  let failure: SpellError | undefined;
  let successful = 0;
  let failed = 0;
  for (const branch of branches) {
    const one = ended.get(branch);
    if (one === undefined) continue;
    if ("line" in one) outcomes.push(...one.line.outcomes);
    const stopped = "error" in one ? one.error : one.line.failure;
    if ("line" in one && branch.required)
      tolerated.push(
        ...one.line.outcomes.filter((outcome) => outcome.status === "failed" && outcome !== stopped),
      );
    const isWhole =
      stopped === undefined && "line" in one && one.line.outcomes.every(({ status }) => status !== "failed");
    if (isWhole) successful++;
    else failed++;
    if (isWhole && "line" in one) outputs.push([branch.name, lastValue(one.line.outcomes)]);
    if (stopped === undefined || !branch.required) continue;
    failure ??= stopped instanceof SpellError ? stopped : failureOf(definition, stopped);
  }
  return {
    output: merged(definition, outputs),
    outcomes,
    tolerated,
    failure,
    counts: {
      total_branches: branches.length,
      successful_branches: successful,
      failed_branches: failed,
      stopped_early: stoppedEarly,
      max_concurrency: maxConcurrency,
      fail_fast: failFast,
    },
    summary: `${successful} of ${branches.length} branches`,
  };
}

function merged({ merge }: ParallelDefinition, outputs: readonly [name: string, value: unknown][]): unknown {
  switch (merge) {
    case "map":
      return Object.fromEntries(outputs);
    case "array":
      return outputs.map(([, value]) => value);
    case "concat":
      return outputs.map(([, value]) => textOf(value)).join("\n");
    case "first":
      return outputs[0]?.[1] ?? null;
  }
}
