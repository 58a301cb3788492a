/** A workflow that a script has made: its shared data, callbacks and what its last run left. */
import { nowMs, randomId } from "../core/clock.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { RunContext } from "../kernel/services.ts";
import { allSteps } from "./canonical.ts";
import type { Definition } from "./model.ts";
import { type Problems, problemsOf } from "./problems.ts";
import { executeWorkflow, type Surroundings } from "./run.ts";
import type {
  Callbacks,
  ExecuteOptions,
  ProgressListener,
  RunEnd,
  Workflow,
  WorkflowMetrics,
  WorkflowResult,
} from "./service.ts";

export class WorkflowInstance implements Workflow {
  readonly id = `workflow_${randomId()}`;
  readonly createdAtMs = nowMs();
  private readonly sharedNow = new Map<string, unknown>();
  private readonly callbacks: { [K in keyof Callbacks]: Callbacks[K][] } = {
    before: [],
    after: [],
    error: [],
    progress: [],
  };
  private readonly watchers = new Set<(key: string, value: unknown) => void>();
  private statusNow: RunEnd | "pending" | "running" = "pending";
  private lastExecution: string | undefined;
  private lastOutputs = new Map<string, unknown>();
  private totalMs = 0;
  private counts = { total: 0, successful: 0, failed: 0 };
  private lastExecutionMs: number | undefined;

  constructor(
    readonly definition: Definition,
    private readonly surroundings: Surroundings,
    /** From which it was made. */
    readonly table: Readonly<Record<string, unknown>>,
  ) {}

  get shared(): ReadonlyMap<string, unknown> {
    return this.sharedNow;
  }

  get status(): RunEnd | "pending" | "running" {
    return this.statusNow;
  }

  get metrics(): WorkflowMetrics {
    const { total, successful, failed } = this.counts;
    const averageDurationMs = total === 0 ? 0 : this.totalMs / total;
    return { total, successful, failed, averageDurationMs, lastExecutionMs: this.lastExecutionMs };
  }

  get executionId(): string {
    if (this.lastExecution !== undefined) return this.lastExecution;
    throw new SpellError("not_found", "No workflow execution found. Run execute() first.");
  }

  setShared(key: string, value: unknown): void {
    this.sharedNow.set(key, value);
    for (const watch of this.watchers) watch(key, value);
  }

  async share(key: string, value: unknown): Promise<void> {
    const hooks = this.surroundings.dependencies.hooks();
    const point = "custom:workflow_shared_data";
    if (!hooks?.has(point)) return this.setShared(key, value);
    const { name } = this.definition;
    const component = { type: "Workflow", name, id: this.id } as const;
    const data = { workflow_id: this.id, workflow_name: name, key, value };
    const result = await hooks.run({ point, component, data });
    if (result.type === "cancel")
      throw new SpellError(
        "permission_denied",
        `Cannot set shared data of workflow "${name}": a hook cancelled it: ${result.reason}`,
      );
    const changed = result.type === "modified" ? (result.data as { value?: unknown }).value : value;
    this.setShared(key, changed);
  }

  /** @returns what ends it */
  noteShared(watch: (key: string, value: unknown) => void): () => void {
    this.watchers.add(watch);
    return () => this.watchers.delete(watch);
  }

  on<K extends keyof Callbacks>(kind: K, fn: Callbacks[K]): void {
    this.callbacks[kind].push(fn);
  }

  async callBefore(input: Record<string, unknown>): Promise<void> {
    for (const fn of this.callbacks.before) await fn(input);
  }

  async callAfter(result: WorkflowResult): Promise<void> {
    for (const fn of this.callbacks.after) await this.quietly("after", () => fn(result));
  }

  async callError(message: string): Promise<void> {
    for (const fn of this.callbacks.error) await this.quietly("error", () => fn(message));
  }

  /** @param own of one run */
  listenerWith(own: ProgressListener | undefined): ProgressListener | undefined {
    const fns: ProgressListener[] = [...(own === undefined ? [] : [own]), ...this.callbacks.progress];
    if (fns.length === 0) return undefined;
    return async (progress) => {
      for (const fn of fns) await this.quietly("progress", () => fn(progress));
    };
  }

  private async quietly(kind: keyof Callbacks, call: () => Promise<unknown>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.log.warn("workflow", "a function of a workflow failed", {
        workflow: this.definition.name,
        callback: kind,
        reason: messageOf(error),
      });
    }
  }

  private get log(): Log {
    return this.surroundings.dependencies.log;
  }

  execute(
    input: Record<string, unknown>,
    run: RunContext,
    options: ExecuteOptions = {},
  ): Promise<WorkflowResult> {
    return executeWorkflow(this, input, run, options, this.surroundings);
  }

  begin(executionId: string): void {
    this.lastExecution = executionId;
    this.lastOutputs = new Map();
    this.statusNow = "running";
    this.lastExecutionMs = nowMs();
    this.counts.total++;
  }

  end(result: WorkflowResult): void {
    this.statusNow = result.status;
    this.totalMs += result.durationMs;
    if (result.success) this.counts.successful++;
    else this.counts.failed++;
    for (const { name, value, status } of result.steps)
      if (status === "completed") this.lastOutputs.set(name, value);
  }

  endWith(status: RunEnd): void {
    this.statusNow = status;
    this.counts.failed++;
  }

  outputs(): Map<string, unknown> {
    void this.executionId;
    return this.lastOutputs;
  }

  clearOutputs(): number {
    const { size } = this.lastOutputs;
    this.lastOutputs = new Map();
    return size;
  }

  /** Workflows that are steps of it. */
  nested(find: (name: string) => WorkflowInstance | undefined): WorkflowInstance[] {
    const found: WorkflowInstance[] = [];
    for (const step of allSteps(this.definition)) {
      if (step.type !== "workflow") continue;
      const inner =
        typeof step.workflow === "string"
          ? find(step.workflow)
          : (step.workflow as unknown as WorkflowInstance);
      if (inner !== undefined) found.push(inner);
    }
    return found;
  }

  problems(): Promise<Problems> {
    return problemsOf(this, this.surroundings);
  }
}
