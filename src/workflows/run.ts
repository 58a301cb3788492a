/** A whole run: its limits, hooks, events, callbacks and journal around what the workflow's type does. */

import { abortError, withDeadline } from "../agents/deadline.ts";
import { runWithSignal } from "../agents/run-scope.ts";
import { blake3Hex } from "../core/blake3.ts";
import { randomId, steadyMs } from "../core/clock.ts";
import { errorToJson, messageOf, SpellError } from "../core/errors.ts";
import { span } from "../core/span.ts";
import { currentTape } from "../core/tape.ts";
import { runAsTask } from "../core/task.ts";
import { isPlainObject } from "../core/values.ts";
import type { RunContext } from "../kernel/services.ts";
import { Payer, payFor } from "../models/calls/payer.ts";
import type { StateService } from "../state/service.ts";
import { canonicalOf } from "./canonical.ts";
import { cycleOf } from "./cycles.ts";
import { Frame, type Tally } from "./flow/frame.ts";
import { type Ran, runKind } from "./flow/kinds.ts";
import type { Performed } from "./flow/perform.ts";
import type { WorkflowInstance } from "./instance.ts";
import type { Opened } from "./journal/journal.ts";
import type { RunJournal } from "./journal/run-journal.ts";
import type { Definition, WorkflowStep } from "./model.ts";
import { textOf } from "./outcome.ts";
import { EXECUTION_ERROR, endOf, raisedFrom, resultOf } from "./result.ts";
import { Scope } from "./scope.ts";
import type {
  ExecuteOptions,
  ProgressListener,
  WorkflowDependencies,
  WorkflowResult,
  WorkflowService,
} from "./service.ts";
import { StateKeys } from "./state-keys.ts";
import { Teller } from "./tell.ts";
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
interface Outer {
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

interface FrameParts {
  instance: WorkflowInstance;
  executionId: string;
  input: Record<string, unknown>;
  run: RunContext;
  listener: ProgressListener | undefined;
  dependencies: WorkflowDependencies;
  state: StateService | undefined;
  journal: RunJournal | undefined;
  chain: readonly string[];
  outer: Outer | undefined;
}

/** A durable run that goes on keeps its id, so that its state keys stay together; one that is recorded has one of its own. */
function executionIdOf(opened: Opened | undefined, outer: Outer | undefined): string {
  if (opened !== undefined && currentTape() === undefined)
    return Bun.randomUUIDv5(`llmspell-run:${opened.journal.id}:${opened.begunAtMs}`, "url");
  if (outer?.frame.journal !== undefined)
    return Bun.randomUUIDv5(`llmspell-run:${outer.frame.executionId}/${outer.path}`, "url");
  return randomId();
}

function frameOf(parts: FrameParts): Frame {
  const { instance, executionId, input, run, dependencies, journal, chain, outer } = parts;
  const { definition } = instance;
  const tell = new Teller({
    workflow: instance,
    executionId,
    run,
    dependencies,
    listener: instance.listenerWith(parts.listener),
    totalSteps: outer === undefined ? stepCount(definition) : undefined,
  });
  const keys = new StateKeys(
    parts.state,
    instance.id,
    definition.name,
    executionId,
    dependencies.log,
    (written) => tell.event("state.updated", { keys: written, operation: "write", component: "workflow" }),
  );
  const tally: Tally = { agents: new Map(), restored: 0 };
  return new Frame({
    workflow: instance,
    executionId,
    run,
    dependencies,
    journal,
    path: outer === undefined ? "" : `${outer.path}/`,
    scope: Scope.of(input, instance.shared, outer?.frame.scope),
    tell,
    keys,
    tally,
    chain,
  });
}

/** As a task of its own, so that a wait that cannot end is found, and within the workflow's time. */
function within<T>(frame: Frame, work: (frame: Frame, payer: Payer) => Promise<T>): Promise<T> {
  const { name, type, timeoutMs } = frame.definition;
  const payer = new Payer("workflow", name, frame.definition.budget);
  const asTask = (of: Frame, signal: AbortSignal) =>
    runAsTask(
      `workflow "${name}"`,
      async (task) => {
        payFor(task, payer);
        return work(of, payer);
      },
      signal,
    );
  const body = () => asTask(frame, frame.signal);
  const limited = () => {
    if (timeoutMs === undefined) return body();
    const expired = () =>
      new SpellError("timeout", `workflow "${name}" timed out: timeout_ms is ${timeoutMs}`, {
        data: { limit: "timeout_ms", timeoutMs, variant: "Timeout" },
        hint: "Raise timeout_ms of the workflow",
      });
    return withDeadline(timeoutMs, expired, [frame.signal], (signal) =>
      asTask(frame.withSignal(signal), signal),
    );
  };
  return span(
    {
      category: "workflow",
      operation: "execute_workflow",
      name: `execute_workflow ${name}`,
      attributes: {
        "llmspell.workflow.name": name,
        "llmspell.workflow.type": type,
        "llmspell.workflow.execution_id": frame.executionId,
        "llmspell.workflow.run_id": frame.journal?.id,
      },
    },
    limited,
  );
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

async function openJournal(
  instance: WorkflowInstance,
  input: Record<string, unknown>,
  run: RunContext,
  options: ExecuteOptions,
  { dependencies, service }: Surroundings,
): Promise<Opened | undefined> {
  const { definition } = instance;
  const given = options.runId ?? definition.runId;
  if (!(options.durable ?? (given !== undefined || definition.durable))) return undefined;
  const ids = service.runIdFor(run);
  const { script } = run;
  return service.openRun({
    id: given ?? ids.runId,
    workflow: definition.name,
    type: definition.type,
    definition: canonicalOf(definition),
    input,
    shared: Object.fromEntries(instance.shared),
    script: script?.path,
    scriptHash: script === undefined ? undefined : await blake3Hex(Buffer.from(script.code)),
    arguments: run.args,
    directory: dependencies.cwd,
    scriptRun: ids.scriptRun,
  });
}

/** Undefined where the number of steps is not known before. */
function stepCount(definition: Definition): number | undefined {
  if (definition.type === "sequential") return definition.steps.length;
  if (definition.type === "parallel")
    return definition.branches.reduce((sum, { steps }) => sum + steps.length, 0);
  return undefined;
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
