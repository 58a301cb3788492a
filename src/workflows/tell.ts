/** Tells what happens in a run: events, hooks that only watch, and whoever follows its progress. */
import { messageOf, SpellError } from "../core/errors.ts";
import type { HookComponent } from "../hooks/service.ts";
import type { RunContext } from "../kernel/services.ts";
import type { Step } from "./model.ts";
import { type StepOutcome, textOf } from "./outcome.ts";
import type { ProgressListener, Workflow, WorkflowDependencies, WorkflowProgress } from "./service.ts";

export interface TellerParts {
  workflow: Workflow;
  executionId: string;
  run: RunContext;
  dependencies: Pick<WorkflowDependencies, "events" | "hooks">;
  listener: ProgressListener | undefined;
  /** Of the outermost workflow; undefined where the number of steps is not known. */
  totalSteps: number | undefined;
}

export class Teller {
  readonly component: HookComponent;
  private done = 0;
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly parts: TellerParts) {
    const { workflow } = parts;
    this.component = { type: "Workflow", name: workflow.definition.name, id: workflow.id };
  }

  get metadata(): Record<string, string> {
    const { workflow, executionId } = this.parts;
    return { workflow_id: workflow.id, workflow_name: workflow.definition.name, execution_id: executionId };
  }

  /** The base of what events and hooks are told. */
  get facts(): Record<string, unknown> {
    const { definition, id } = this.parts.workflow;
    const { executionId } = this.parts;
    return {
      workflow_id: id,
      workflow_name: definition.name,
      workflow_type: definition.type,
      execution_id: executionId,
    };
  }

  event(type: string, data: Record<string, unknown>): void {
    const { run, dependencies } = this.parts;
    dependencies.events()?.publish({
      type: `workflow.${type}`,
      data: { ...this.facts, ...data },
      source: "workflow",
      correlationId: run.id,
    });
  }

  /** Listeners are told one thing after another; a slow one slows the run down and loses nothing. */
  async progress(progress: Omit<WorkflowProgress, "workflow" | "executionId">): Promise<void> {
    const { listener, workflow, executionId } = this.parts;
    if (listener === undefined) return;
    const whole = { ...progress, workflow: workflow.definition.name, executionId };
    this.last = this.last.then(async () => void (await listener(whole)));
    await this.last;
  }

  /** A point of the reference that has no other name; hooks there may cancel. @throws SpellError permission_denied */
  async point(name: string, data: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    await this.ask(`custom:${name}`, data, signal);
  }

  /** The same after the fact: hooks only watch. */
  async note(name: string, data: Record<string, unknown>): Promise<void> {
    await this.told(`custom:${name}`, data);
  }

  /** After the fact: hooks only watch. */
  async told(point: string, data: Record<string, unknown>): Promise<void> {
    const hooks = this.parts.dependencies.hooks();
    if (!hooks?.has(point)) return;
    const { component, metadata } = this;
    await hooks.run({
      point,
      component,
      metadata,
      data: { ...this.facts, ...data },
      correlationId: this.parts.run.id,
    });
  }

  /** @throws SpellError permission_denied where a hook cancels */
  async ask(point: string, data: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    const hooks = this.parts.dependencies.hooks();
    if (!hooks?.has(point)) return;
    const result = await hooks.run({
      point,
      component: this.component,
      data: { ...this.facts, ...data },
      metadata: this.metadata,
      correlationId: this.parts.run.id,
      signal,
    });
    if (result.type !== "cancel") return;
    const { name } = this.component;
    throw new SpellError(
      "permission_denied",
      `Cannot run workflow "${name}": a hook cancelled it: ${result.reason}`,
      {
        data: { reason: result.reason, point },
      },
    );
  }

  async stepStarted(step: Step, index: number, path: string, retryAttempt: number): Promise<void> {
    this.event("step.started", {
      step_name: step.name,
      step_type: step.type,
      step_index: index,
      retry_attempt: retryAttempt,
    });
    await this.progress({ type: "step_started", step: step.name, path, index, retryAttempt });
  }

  /** It was at work when its branch or its run came to an end. */
  async stepStopped(
    step: Step,
    index: number,
    path: string,
    reason: unknown,
    durationMs: number,
  ): Promise<void> {
    const error = messageOf(reason);
    this.event("step.failed", {
      step_name: step.name,
      step_type: step.type,
      step_index: index,
      duration_ms: durationMs,
      error,
    });
    await this.progress({ type: "step_failed", step: step.name, path, index, durationMs, error });
  }

  async stepEnded(outcome: StepOutcome, index: number, path: string): Promise<void> {
    const { name, type, status, durationMs, retryCount, error, value } = outcome;
    const data = {
      step_name: name,
      step_type: type,
      step_index: index,
      retry_attempt: retryCount,
      duration_ms: durationMs,
    };
    if (status === "failed") this.event("step.failed", { ...data, error: error?.message ?? "" });
    else if (status === "skipped") this.event("step.skipped", data);
    else this.event("step.completed", { ...data, output_size: Buffer.byteLength(textOf(value)) });
    this.count();
    await this.progress({
      type: `step_${status}`,
      step: name,
      path,
      index,
      durationMs,
      output: value,
      ...(error === undefined ? {} : { error: error.message }),
    });
  }

  async stepRestored(outcome: StepOutcome, index: number, path: string): Promise<void> {
    this.event("step.restored", { step_name: outcome.name, step_type: outcome.type, step_index: index });
    this.count();
    await this.progress({ type: "step_restored", step: outcome.name, path, index, output: outcome.value });
  }

  private count(): void {
    const { totalSteps, run, workflow } = this.parts;
    this.done++;
    if (totalSteps === undefined) return;
    run.emit({
      type: "progress",
      label: `workflow ${workflow.definition.name}`,
      done: this.done,
      total: totalSteps,
    });
  }
}
