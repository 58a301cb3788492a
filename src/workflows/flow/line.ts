/** Steps one after another. */
import { errorFromJson, SpellError } from "../../core/errors.ts";
import type { Definition, Step } from "../model.ts";
import type { StepOutcome } from "../outcome.ts";
import type { StepPosition } from "../state-keys.ts";
import { breathe } from "./breathe.ts";
import type { Frame } from "./frame.ts";
import type { RunNested } from "./perform.ts";
import { runStep } from "./step.ts";

export interface Line {
  outcomes: StepOutcome[];
  /** The step whose failure stopped it. */
  failure: StepOutcome | undefined;
}

/** @param outlives the run goes on after a failure that stops the line */
export async function runLine(
  frame: Frame,
  steps: readonly Step[],
  position: StepPosition,
  runNested: RunNested,
  outlives = false,
): Promise<Line> {
  const outcomes: StepOutcome[] = [];
  const continues = frame.definition.errorStrategy === "continue";
  for (const [index, step] of steps.entries()) {
    await breathe();
    const goesOn = continues || step.continueOnError;
    const at = { ...position, index, from: steps[index - 1]?.name, isPassedOver: goesOn || outlives };
    const outcome = await runStep(frame, step, at, runNested);
    outcomes.push(outcome);
    if (outcome.status === "failed" && !goesOn) return { outcomes, failure: outcome };
  }
  return { outcomes, failure: undefined };
}

/** The failure of a step as that of its workflow. */
export function failureOf({ name, type }: Definition, outcome: StepOutcome): SpellError {
  const error = errorFromJson(outcome.error!);
  const variant = error.code === "timeout" ? "Timeout" : "StepExecutionFailed";
  return new SpellError(error.code, `step "${outcome.name}" failed: ${error.message}`, {
    data: { ...error.data, workflow: name, workflow_type: type, step: outcome.name, variant },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** The value of the last step that was done. */
export function lastValue(outcomes: readonly StepOutcome[]): unknown {
  return outcomes.findLast(({ status }) => status === "completed")?.value ?? null;
}

export const countOf = (outcomes: readonly StepOutcome[], status: StepOutcome["status"]): number =>
  outcomes.filter((outcome) => outcome.status === status).length;
