/** A whole run: its hooks, events and callbacks around what the workflow's type does. */
import { abortError } from "../agents/deadline.ts";
import { runWithSignal } from "../agents/run-scope.ts";
import { steadyMs } from "../core/clock.ts";
import { errorToJson, messageOf, SpellError } from "../core/errors.ts";
import { isPlainObject } from "../core/values.ts";
import type { RunContext } from "../kernel/services.ts";
import { cycleOf } from "./cycles.ts";
import type { Frame } from "./flow/frame.ts";
import { type Ran, runKind } from "./flow/kinds.ts";
import type { Performed } from "./flow/perform.ts";
import type { WorkflowInstance } from "./instance.ts";
import type { RunJournal } from "./journal/run-journal.ts";
import type { WorkflowStep } from "./model.ts";
import { textOf } from "./outcome.ts";
import { EXECUTION_ERROR, endOf, raisedFrom, resultOf } from "./result.ts";
import { executionIdOf, frameOf, openJournal } from "./run/begin.ts";
import { within } from "./run/limits.ts";
import type { ExecuteOptions, WorkflowDependencies, WorkflowResult, WorkflowService } from "./service.ts";
import { refuseUncertain } from "./uncertain.ts";

export interface Surroundings {
  dependencies: WorkflowDependencies;
  service: WorkflowService & {
    find(nameOrId: string): WorkflowInstance | undefined;
    runIdFor(run: RunContext): RunIds;
  };
  /** Told of a failure, besides the workflow's own callbacks. */
  failed(message: string): Promise<void>;
}

/** Under which id a durable run without one of its own is journalled, and which script's run it belongs to. */
export interface RunIds {
  runId: string;
  scriptRun: string;
}

/** Of the workflow of which this one is a step. */
export interface Outer {
  frame: Frame;
  path: string;
}

export async function executeWorkflow(
  instance: WorkflowInstance,
  input: Record<string, unknown>,
  run: RunContext,
  options: ExecuteOptions,
  surroundings: Surroundings,
  outer?: Outer,
): Promise<WorkflowResult> {
  const chain = [...(outer?.frame.chain ?? []), instance.id];
  refuseCycles(instance, surroundings);
  const state = await surroundings.dependencies.state();
  const opened =
    outer === undefined ? await openJournal(instance, input, run, options, surroundings) : undefined;
  const journal = outer === undefined ? opened?.journal : outer.frame.journal;
  if (opened !== undefined)
    for (const [key, value] of Object.entries(opened.shared))
      if (!instance.shared.has(key)) instance.setShared(key, value);
  const signals = [
    run.signal,
    ...(options.cancel ? [options.cancel] : []),
    ...(opened ? [opened.journal.cancelled] : []),
  ];
  const bounded = signals.length === 1 ? run : runWithSignal(run, AbortSignal.any(signals));
  const stopNoting =
    journal === undefined ? undefined : instance.noteShared((key, value) => journal.noteShared(key, value));
  const frame = frameOf({
    instance,
    executionId: executionIdOf(opened, outer),
    input: opened?.input ?? input,
    run: bounded,
    listener: options.listener,
    dependencies: surroundings.dependencies,
    state,
    journal,
    chain,
    outer,
  });
  instance.begin(frame.executionId);
  const startMs = steadyMs();
  try {
    const result = await within(frame, async (inner, payer) => ({
      ...(await watched(inner, surroundings, startMs)),
      usage: payer.usage.figures(),
    }));
    await opened?.journal.end("completed");
    instance.end(result);
    await frame.tell.note("workflow_state_change", { from: "running", to: result.status });
    frame.tell.event("completed", {
      success: result.success,
      status: result.status,
      duration_ms: result.durationMs,
    });
    await frame.tell.progress({
      type: "workflow_completed",
      durationMs: result.durationMs,
      output: result.output,
    });
    await instance.callAfter(result);
    return result;
  } catch (error) {
    throw await failed(
      frame,
      error,
      steadyMs() - startMs,
      opened?.journal,
      surroundings,
      outer !== undefined,
    );
  } finally {
    stopNoting?.();
  }
}

async function watched(frame: Frame, surroundings: Surroundings, startMs: number): Promise<WorkflowResult> {
  const { tell, scope, definition } = frame;
  const instance = frame.workflow as WorkflowInstance;
  if (frame.path === "") refuseUncertain(frame);
  await instance.callBefore(scope.input);
  await tell.point("workflow_state_change", { from: "pending", to: "running" }, frame.signal);
  tell.event("started", { name: definition.name, input: scope.input });
  await tell.progress({ type: "workflow_started" });
  const work = async () => {
    const ran = await runKind(frame, (within, step, input, path) =>
      runNested(within, step, input, path, surroundings),
    );
    if (frame.signal.aborted) throw abortError(frame.signal);
    if (ran.failure !== undefined) throw ran.failure;
    await frame.keys.end("completed", ran.output, undefined, ran.aggregated);
    return ran;
  };
  const hooks = frame.dependencies.hooks();
  const isHooked = ["BeforeWorkflowStart", "AfterWorkflowComplete", "WorkflowError"].some((point) =>
    hooks?.has(point),
  );
  if (hooks === undefined || !isHooked) return resultOf(frame, await work(), steadyMs() - startMs);
  const ran = await hooks.around<Ran>(
    {
      before: "BeforeWorkflowStart",
      after: "AfterWorkflowComplete",
      error: "WorkflowError",
      component: tell.component,
      metadata: tell.metadata,
      correlationId: frame.run.id,
      signal: frame.signal,
      data: {
        ...tell.facts,
        workflow_state: "running",
        execution_phase: "start",
        name: definition.name,
        input: scope.input,
      },
      errorData: { execution_phase: "error", workflow_state: "failed" },
      resultKey: "output",
      describe: ({ output }) => ({ output, workflow_state: "completed", execution_phase: "complete" }),
      adopt: (value, before) => ({ ...(before ?? nothing("replaced by a hook")), output: value }),
      skipped: (reason) => nothing(`skipped by a hook: ${reason}`),
    },
    ({ input }) => {
      if (input !== scope.input && isPlainObject(input)) scope.take(input);
      return work();
    },
  );
  return resultOf(frame, ran, steadyMs() - startMs);
}

const nothing = (summary: string): Ran => ({
  output: null,
  outcomes: [],
  tolerated: [],
  failure: undefined,
  counts: {},
  summary,
});

async function failed(
  frame: Frame,
  given: unknown,
  durationMs: number,
  journal: RunJournal | undefined,
  surroundings: Surroundings,
  isNested: boolean,
): Promise<unknown> {
  const error = raisedFrom(frame, given);
  const instance = frame.workflow as WorkflowInstance;
  const end = endOf(error);
  const message = messageOf(error);
  // who was interrupted from outside can go on later; who was cancelled cannot
  const isStopped = end === "cancelled" && errorToJson(error).data?.cancelled !== true;
  const status = isStopped ? "stopped" : end === "partially_completed" ? "failed" : end;
  await journal?.end(status, errorToJson(error)).catch((reason: unknown) => {
    surroundings.dependencies.log.warn("workflow", "the end of a run cannot be journalled", {
      run: journal.id,
      reason: messageOf(reason),
    });
  });
  instance.endWith(end);
  await frame.tell.note("workflow_state_change", { from: "running", to: end });
  await frame.keys.end(end, null, message);
  frame.tell.event("failed", { error: message, status: end, duration_ms: durationMs });
  await frame.tell.progress({ type: "workflow_failed", error: message, durationMs });
  if (isStopped || !(error instanceof SpellError)) return error;
  await instance.callError(message);
  if (isNested) return error;
  await surroundings.failed(message);
  if (message.startsWith(EXECUTION_ERROR)) return error;
  return new SpellError(error.code, `${EXECUTION_ERROR}${message}`, {
    data: error.data,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error.cause,
  });
}

async function runNested(
  frame: Frame,
  step: WorkflowStep,
  given: unknown,
  path: string,
  surroundings: Surroundings,
): Promise<Performed> {
  const inner =
    typeof step.workflow === "string"
      ? surroundings.service.find(step.workflow)
      : (step.workflow as unknown as WorkflowInstance);
  if (inner === undefined) throw new SpellError("not_found", `no such workflow: ${String(step.workflow)}`);
  if (frame.chain.includes(inner.id))
    throw new SpellError("invalid_argument", `workflow "${inner.definition.name}" is a step of itself`);
  const input = isPlainObject(given) ? given : { text: textOf(given) };
  const result = await executeWorkflow(inner, input, frame.run, {}, surroundings, { frame, path });
  frame.tally.restored += result.restoredSteps;
  if (!result.success)
    throw new SpellError(
      result.error?.code ?? "tool_failed",
      `workflow "${inner.definition.name}" ${result.status === "failed" ? "failed" : "completed in part"}: ${result.error?.message}`,
    );
  return {
    target: inner.definition.name,
    value: result.output,
    fields: result.output,
    agents: [...result.agents],
  };
}

/** Workflows that name each other are found before anything is done. @throws SpellError invalid_argument */
function refuseCycles(instance: WorkflowInstance, { service }: Surroundings): void {
  const cycle = cycleOf(instance, (name) => service.find(name));
  if (cycle === undefined) return;
  throw new SpellError(
    "invalid_argument",
    `Cannot run workflow "${instance.definition.name}": it is a step of itself: ${cycle.join(" → ")}`,
    { data: { variant: "ConfigurationError" } },
  );
}
