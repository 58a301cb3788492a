/** Passes of a body over a range, a list, or while something holds. */
import type { Iterator, LoopDefinition } from "../model.ts";
import type { StepOutcome } from "../outcome.ts";
import { conditionFailed } from "./condition-failed.ts";
import type { Frame } from "./frame.ts";
import type { Ran } from "./kinds.ts";
import { countOf, failureOf, lastValue, runLine } from "./line.ts";
import type { RunNested } from "./perform.ts";
import { pause } from "./step.ts";

export async function runLoop(frame: Frame, definition: LoopDefinition, runNested: RunNested): Promise<Ran> {
  const { scope } = frame;
  const values: unknown[] = [];
  const outcomes: StepOutcome[] = [];
  const tolerated: StepOutcome[] = [];
  let failure: StepOutcome | undefined;
  let completed = 0;
  let breakReason: string | undefined;
  let index = 0;
  for (; ; index++) {
    const value = valueAt(definition.iterator, index);
    if (value === undefined) break;
    scope.loop = { value: value.value, index, iteration: index };
    if (definition.maxIterations !== undefined && index >= definition.maxIterations) {
      breakReason = "max_iterations";
      break;
    }
    breakReason = await before(frame, definition, index);
    if (breakReason !== undefined) break;
    if (index > 0) await pause(definition.iterationDelayMs, frame.signal);
    scope.loop = { value: value.value, index, iteration: index + 1 };
    await frame.tell.point("loop_iteration_start", { iteration: index, value: value.value }, frame.signal);
    await frame.tell.progress({ type: "iteration_started", index });
    const own = frame.with({ path: `${frame.path}pass:${index}/` });
    const line = await runLine(
      own,
      definition.body,
      { iteration: index },
      runNested,
      definition.continueOnError,
    );
    outcomes.push(...line.outcomes);
    const isGivenUp = line.failure !== undefined && !definition.continueOnError;
    failure = isGivenUp ? line.failure : undefined;
    tolerated.push(...line.outcomes.filter((outcome) => outcome.status === "failed" && outcome !== failure));
    if (line.failure === undefined) {
      completed++;
      values.push(lastValue(line.outcomes));
    }
    await frame.tell.point(
      "loop_iteration_complete",
      { iteration: index, success: line.failure === undefined },
      frame.signal,
    );
    breakReason = failure === undefined ? await after(frame, definition, index) : "error";
    if (breakReason !== undefined) {
      index++;
      break;
    }
  }
  await frame.tell.point(
    "loop_termination",
    { iterations: index, reason: breakReason ?? null },
    frame.signal,
  );
  const aggregated = aggregate(definition, values);
  return {
    output: aggregated,
    outcomes,
    tolerated,
    failure: failure === undefined ? undefined : failureOf(definition, failure),
    counts: {
      total_iterations: index,
      completed_iterations: completed,
      break_reason: breakReason ?? null,
      aggregated_results_count: Array.isArray(aggregated) ? aggregated.length : aggregated === null ? 0 : 1,
      ...iteratorCounts(definition),
      continue_on_error: definition.continueOnError,
    },
    aggregated,
    summary: `${completed} of ${index} iterations, ${countOf(outcomes, "completed")} steps`,
  };
}

function valueAt(iterator: Iterator, index: number): { value: unknown } | undefined {
  switch (iterator.type) {
    case "collection":
      return index < iterator.items.length ? { value: iterator.items[index] } : undefined;
    case "while":
      return { value: index };
    case "range": {
      const { start, end, step } = iterator;
      const value = start + index * step;
      return (step > 0 ? value < end : value > end) ? { value } : undefined;
    }
  }
}

/** @returns why there is no further pass */
async function before(frame: Frame, definition: LoopDefinition, index: number): Promise<string | undefined> {
  const { iterator, loopCondition, name } = definition;
  try {
    if (iterator.type === "while" && !(await frame.choose(`while:${index}`, iterator.condition)))
      return "condition_false";
    if (loopCondition !== undefined && !(await frame.choose(`loop:${index}`, loopCondition)))
      return "loop_condition";
    return undefined;
  } catch (error) {
    throw conditionFailed(name, "the condition of the loop", error);
  }
}

async function after(
  frame: Frame,
  { breakConditions, name }: LoopDefinition,
  index: number,
): Promise<string | undefined> {
  for (const [i, condition] of breakConditions.entries()) {
    try {
      if (await frame.choose(`break:${index}:${i}`, condition)) return "break_condition";
    } catch (error) {
      throw conditionFailed(name, `break condition ${i + 1}`, error);
    }
  }
  return undefined;
}

function aggregate({ aggregation, aggregationCount }: LoopDefinition, values: unknown[]): unknown {
  switch (aggregation) {
    case "collect_all":
      return values;
    case "last_only":
      return values.at(-1) ?? null;
    case "first_n":
      return values.slice(0, aggregationCount);
    case "last_n":
      return values.slice(-aggregationCount);
    case "none":
      return null;
  }
}

function iteratorCounts({ iterator, maxIterations }: LoopDefinition): Record<string, unknown> {
  switch (iterator.type) {
    case "collection":
      return { iterator_type: "collection", collection_size: iterator.items.length };
    case "range":
      return {
        iterator_type: "range",
        range_start: iterator.start,
        range_end: iterator.end,
        range_step: iterator.step,
      };
    case "while":
      return {
        iterator_type: "while_condition",
        condition: iterator.text,
        max_iterations: maxIterations ?? null,
      };
  }
}
