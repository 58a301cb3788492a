/** One step: from its condition to what is kept of it. */

import { abortError } from "../../agents/deadline.ts";
import { steadyMs } from "../../core/clock.ts";
import { errorToJson, SpellError } from "../../core/errors.ts";
import { span } from "../../core/span.ts";
import { isPlainObject } from "../../core/values.ts";
import type { HookedOperation } from "../../hooks/service.ts";
import { partOf } from "../journal/journal.ts";
import type { JournalledStep } from "../journal/run-journal.ts";
import type { Step } from "../model.ts";
import type { StepOutcome } from "../outcome.ts";
import { substitute } from "../placeholders.ts";
import type { StepPosition } from "../state-keys.ts";
import { conditionFailed } from "./condition-failed.ts";
import type { Frame } from "./frame.ts";
import { isRepeatable, type Performed, perform, type RunNested } from "./perform.ts";

/** Among its neighbours. */
export interface StepPlace extends StepPosition {
  /** From 0. */
  index: number;
  /** The step before it. */
  from: string | undefined;
  /** A failure is noted and does not end the run. */
  isPassedOver: boolean;
}

/** Its failure is part of the outcome. @throws what stops the run whatever its error strategy */
export async function runStep(
  frame: Frame,
  step: Step,
  at: StepPlace,
  runNested: RunNested,
): Promise<StepOutcome> {
  const path = frame.path + partOf(step.name);
  const known = frame.journal?.outcomeOf(path);
  if (known !== undefined) return restored(frame, known, at, path);
  if (frame.signal.aborted) throw abortError(frame.signal);
  if (!(await isWanted(frame, step)))
    return kept(frame, passedOver(step), at, {
      path,
      kind: step.type,
      target: targetOf(step),
      repeatable: true,
    });
  await frame.tell.ask("WorkflowStageTransition", { from: at.from ?? null, to: step.name }, frame.signal);
  const input = substitute(step.input, frame.scope);
  const row: JournalledStep = {
    path,
    kind: step.type,
    target: targetOf(step),
    repeatable: frame.journal === undefined || (await isRepeatable(frame, step, input)),
  };
  if ((await frame.journal?.start(row)) === true)
    await frame.tell.told("WorkflowRollback", { checkpoint_id: checkpointId(frame, path) });
  const outcome = await span(
    {
      category: "workflow",
      operation: "workflow_step",
      name: `workflow_step ${step.name}`,
      attributes: {
        "llmspell.workflow.name": frame.definition.name,
        "llmspell.workflow.step": step.name,
        "llmspell.workflow.step_type": step.type,
      },
    },
    async (watched) => {
      const result = await attempted(frame, step, input, at, path, runNested);
      if (result.error !== undefined) watched.fail(result.error.code, result.error.message);
      return result;
    },
  );
  return kept(frame, outcome, at, row);
}

async function isWanted(frame: Frame, { name, condition }: Step): Promise<boolean> {
  if (condition === undefined) return true;
  try {
    return await frame.choose(`if:${partOf(name)}`, condition);
  } catch (error) {
    throw conditionFailed(frame.definition.name, `the condition of step "${name}"`, error);
  }
}

/** A failure that is an end of the whole run passes; any other becomes an outcome. */
async function attempted(
  frame: Frame,
  step: Step,
  input: unknown,
  at: StepPlace,
  path: string,
  runNested: RunNested,
): Promise<StepOutcome> {
  const startMs = steadyMs();
  const count = { retries: 0 };
  const base = { name: step.name, type: step.type, target: targetOf(step) };
  try {
    const performed = await hooked(frame, step, input, at, (one, asked) =>
      repeated(frame, one, at, path, count, () => perform(frame, one, asked, path, runNested)),
    );
    const { isSkipped = false, ...fields } = performed;
    return {
      ...base,
      ...fields,
      status: isSkipped ? "skipped" : "completed",
      durationMs: steadyMs() - startMs,
      retryCount: count.retries,
    };
  } catch (error) {
    if (frame.signal.aborted) {
      const reason = abortError(frame.signal);
      await frame.tell.stepStopped(step, at.index, path, reason, steadyMs() - startMs);
      throw reason;
    }
    if (isFinal(error)) throw error;
    return {
      ...base,
      status: "failed",
      value: null,
      fields: null,
      agents: [],
      error: errorToJson(error),
      durationMs: steadyMs() - startMs,
      retryCount: count.retries,
    };
  }
}

/** A step that waits for a decision, and a journal that cannot be written, end the run. */
export const isFinal = (error: unknown): boolean =>
  error instanceof SpellError && (error.data.variant === "Interrupted" || error.data.journal === true);

async function repeated<T>(
  frame: Frame,
  step: Step,
  at: StepPlace,
  path: string,
  count: { retries: number },
  work: () => Promise<T>,
): Promise<T> {
  const { retry } = step;
  for (let attempt = 0; ; attempt++) {
    count.retries = attempt;
    await frame.tell.stepStarted(step, at.index, path, attempt);
    try {
      return await work();
    } catch (error) {
      if (frame.signal.aborted || isFinal(error) || attempt >= retry.count) throw error;
      frame.dependencies.log.debug("workflow", "a step failed and is repeated", {
        workflow: frame.definition.name,
        step: step.name,
        attempt: attempt + 1,
        reason: String(error),
      });
    }
    if (step.type === "workflow") await frame.journal?.reopen(path);
    await pause(retry.delayMs * (retry.exponential ? 2 ** attempt : 1), frame.signal);
  }
}

type Given = Performed & { isSkipped?: boolean };

function hooked(
  frame: Frame,
  step: Step,
  input: unknown,
  at: StepPlace,
  work: (step: Step, input: unknown) => Promise<Performed>,
): Promise<Given> {
  const hooks = frame.dependencies.hooks();
  const isWatched =
    hooks?.has("BeforeWorkflowStage") || hooks?.has("AfterWorkflowStage") || hooks?.has("WorkflowError");
  if (hooks === undefined || !isWatched) return work(step, input);
  const { tell } = frame;
  const operation: HookedOperation<Given> = {
    before: "BeforeWorkflowStage",
    after: "AfterWorkflowStage",
    error: "WorkflowError",
    component: tell.component,
    metadata: tell.metadata,
    correlationId: frame.run.id,
    signal: frame.signal,
    data: { ...tell.facts, step_name: step.name, step_type: step.type, step_index: at.index, input },
    describe: ({ value }) => ({ result: value, success: true }),
    adopt: (value, before) => ({ ...(before ?? nothing(step)), ...adopted(value) }),
    skipped: () => ({ ...nothing(step), isSkipped: true }),
    redirect: (target, data) => work(towards(step, target), data.input),
  };
  return hooks.around(operation, (data) => work(step, data.input));
}

/** The step with another target: `tool:NAME`, `agent:NAME`, `workflow:NAME`, or a name of its own kind. */
function towards(step: Step, target: string): Step {
  const [, kind = step.type, name = target] = /^(tool|agent|workflow):(.+)$/s.exec(target) ?? [];
  const { name: own, input, timeoutMs, retry, continueOnError, condition, repeatable } = step;
  const fields = { name: own, input, timeoutMs, retry, continueOnError, condition, repeatable };
  if (kind === "agent") return { ...fields, type: "agent", agent: name };
  if (kind === "workflow") return { ...fields, type: "workflow", workflow: name };
  return { ...fields, type: "tool", tool: name };
}

const nothing = (step: Step): Performed => ({
  target: targetOf(step),
  value: null,
  fields: null,
  agents: [],
});

/** A hook gives a value, or a table with `output` or `result`. */
function adopted(value: unknown): Pick<Performed, "value" | "fields"> {
  const main = isPlainObject(value) ? (value.output ?? value.result ?? value.text ?? value) : value;
  return { value: main, fields: value };
}

async function restored(
  frame: Frame,
  outcome: StepOutcome,
  at: StepPlace,
  path: string,
): Promise<StepOutcome> {
  for (const [key, value] of Object.entries(frame.journal!.sharedOf(path)))
    frame.workflow.setShared(key, value);
  frame.tally.restored++;
  noted(frame, outcome);
  await frame.tell.stepRestored(outcome, at.index, path);
  return outcome;
}

/** Keeps the outcome: in the journal before anybody sees it. */
async function kept(
  frame: Frame,
  outcome: StepOutcome,
  at: StepPlace,
  row: JournalledStep,
): Promise<StepOutcome> {
  const { journal } = frame;
  if (journal !== undefined) {
    const checkpoint = { checkpoint_id: checkpointId(frame, row.path) };
    if (outcome.status !== "failed" || at.isPassedOver) {
      await journal.finish(row, outcome);
      await frame.tell.ask("WorkflowCheckpoint", checkpoint, frame.signal);
    } else if (row.repeatable || outcome.error?.code !== "timeout") {
      if (row.kind === "workflow") await journal.reopen(row.path);
      await journal.forget(row.path, outcome.error!);
      await frame.tell.told("WorkflowRollback", checkpoint);
    }
  }
  noted(frame, outcome);
  if (outcome.status !== "skipped") await frame.keys.step(outcome, row.path, at);
  await frame.tell.stepEnded(outcome, at.index, row.path);
  return outcome;
}

const checkpointId = ({ journal }: Frame, path: string): string => `${journal?.id}:${path}`;

function noted(frame: Frame, outcome: StepOutcome): void {
  frame.scope.finish(outcome);
  frame.noteAgents(outcome);
}

const passedOver = (step: Step): StepOutcome => ({
  name: step.name,
  type: step.type,
  target: targetOf(step),
  status: "skipped",
  value: null,
  fields: null,
  durationMs: 0,
  retryCount: 0,
  agents: [],
});

export function targetOf(step: Step): string {
  if (step.type === "tool") return step.tool;
  if (step.type === "agent") return typeof step.agent === "string" ? step.agent : step.agent.name;
  return typeof step.workflow === "string" ? step.workflow : step.workflow.definition.name;
}

/** @throws the signal's reason */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw abortError(signal);
  if (delayMs <= 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.min(delayMs, 2 ** 31 - 1));
  const stop = () => reject(abortError(signal));
  signal.addEventListener("abort", stop, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
