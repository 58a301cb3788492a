/** The result of a run, and its failure. */
import { errorToJson, SpellError } from "../core/errors.ts";
import type { Frame } from "./flow/frame.ts";
import type { Ran } from "./flow/kinds.ts";
import type { RunEnd, WorkflowResult } from "./service.ts";

const TITLES = {
  sequential: "Sequential",
  parallel: "Parallel",
  conditional: "Conditional",
  loop: "Loop",
} as const;

export function resultOf(frame: Frame, ran: Ran, durationMs: number): WorkflowResult {
  const { definition, workflow, executionId, journal, tally, scope } = frame;
  const failed = ran.tolerated[0];
  const someDone = ran.outcomes.some(({ status }) => status === "completed");
  const status: RunEnd = failed === undefined ? "completed" : someDone ? "partially_completed" : "failed";
  return {
    success: failed === undefined,
    status,
    text: summary(TITLES[definition.type], definition.name, status, ran.summary, durationMs),
    output: ran.output,
    error: failed?.error,
    executionId,
    workflowId: workflow.id,
    workflowName: definition.name,
    workflowType: definition.type,
    durationMs,
    counts: ran.counts,
    steps: ran.outcomes,
    agents: new Map(tally.agents),
    shared: scope.shared.all(),
    runId: journal?.id,
    restoredSteps: tally.restored,
  };
}

function summary(title: string, name: string, status: RunEnd, counts: string, durationMs: number): string {
  const words =
    status === "completed" ? "completed successfully" : status === "failed" ? "failed" : "completed in part";
  return `${title} workflow '${name}' ${words}. ${counts}, ${Math.round(durationMs)} ms`;
}

/** As scripts see it raised. A failure that has been said so stays; interrupts and bugs stay what they are. */
export function raisedFrom(frame: Frame, error: unknown): unknown {
  if (!(error instanceof SpellError)) return error;
  const { name, type } = frame.definition;
  const facts = {
    workflow: name,
    workflow_type: type,
    execution_id: frame.executionId,
    ...(frame.journal === undefined ? {} : { run_id: frame.journal.id }),
  };
  const variant = error.data.variant ?? (error.code === "timeout" ? "Timeout" : "General");
  return new SpellError(error.code, error.message, {
    data: { ...facts, variant, ...error.data },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error.cause,
  });
}

/** How the run of a failure stands. */
export function endOf(error: unknown): RunEnd {
  const { code, data } = errorToJson(error);
  if (data?.cancelled === true) return "cancelled";
  if (data?.variant === "Interrupted") return "interrupted";
  return code === "interrupted" ? "cancelled" : "failed";
}

export const EXECUTION_ERROR = "Workflow execution error: ";
