/** What the types of workflows give: their output, their counts, and how they failed. */
import type { SpellError } from "../../core/errors.ts";
import type { SequentialDefinition } from "../model.ts";
import type { StepOutcome } from "../outcome.ts";
import { runConditional } from "./conditional.ts";
import type { Frame } from "./frame.ts";
import { countOf, failureOf, lastValue, runLine } from "./line.ts";
import { runLoop } from "./loop.ts";
import { runParallel } from "./parallel.ts";
import type { RunNested } from "./perform.ts";

export interface Ran {
  output: unknown;
  /** In the order of the definition. */
  outcomes: StepOutcome[];
  /** Failures that count and were passed over. */
  tolerated: StepOutcome[];
  failure: SpellError | undefined;
  counts: Record<string, unknown>;
  /** Of a loop. */
  aggregated?: unknown;
  /** What the summary says between name and time. */
  summary: string;
}

export function runKind(frame: Frame, runNested: RunNested): Promise<Ran> {
  const { definition } = frame;
  switch (definition.type) {
    case "sequential":
      return runSequential(frame, definition, runNested);
    case "parallel":
      return runParallel(frame, definition, runNested);
    case "conditional":
      return runConditional(frame, definition, runNested);
    case "loop":
      return runLoop(frame, definition, runNested);
  }
}

async function runSequential(
  frame: Frame,
  definition: SequentialDefinition,
  runNested: RunNested,
): Promise<Ran> {
  const { outcomes, failure } = await runLine(frame, definition.steps, {}, runNested);
  const total = definition.steps.length;
  const failed = countOf(outcomes, "failed");
  const successful = countOf(outcomes, "completed");
  return {
    output: lastValue(outcomes),
    outcomes,
    tolerated: outcomes.filter((outcome) => outcome.status === "failed" && outcome !== failure),
    failure: failure === undefined ? undefined : failureOf(definition, failure),
    counts: {
      total_steps: total,
      successful_steps: successful,
      failed_steps: failed,
      success_rate: total === 0 ? 0 : (successful / total) * 100,
    },
    summary: `${successful} of ${total} steps`,
  };
}
