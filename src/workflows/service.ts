/** Workflows as globals and the kernel know them. */
import type { AgentInput, AgentService } from "../agents/service.ts";
import type { ErrorJson } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { EventService } from "../events/service.ts";
import type { HookService } from "../hooks/service.ts";
import type { RunContext } from "../kernel/services.ts";
import type { UsageFigures } from "../models/calls/usage.ts";
import type { StateService } from "../state/service.ts";
import type { Storage } from "../storage/storage.ts";
import type { ToolService } from "../tools/service.ts";
import type { Journal, Opened, RunBeginning } from "./journal/journal.ts";
import type { Definition, WorkflowType } from "./model.ts";
import type { StepOutcome } from "./outcome.ts";

export interface WorkflowDependencies {
  log: Log;
  tools(): Promise<ToolService>;
  agents(): Promise<AgentService>;
  /** What an agent is asked, of a text or a script's table. @throws SpellError invalid_argument without a text */
  agentInput(value: unknown): AgentInput;
  /** Undefined where state is switched off. */
  state(): Promise<StateService | undefined>;
  /** Where there may be any. */
  hooks(): HookService | undefined;
  events(): EventService | undefined;
  storage(): Promise<Storage>;
  /** Undefined where no other process sees what is stored. */
  dataDirectory: string | undefined;
  /** Where relative paths of tools start. */
  cwd: string;
}

export type RunEnd = "completed" | "partially_completed" | "failed" | "cancelled" | "interrupted";

/** `counts` are those of the workflow's type: `metadata.extra` of spec/lua-api.md section 3.7. */
export interface WorkflowResult {
  /** No step failed whose failure counts. */
  success: boolean;
  status: RunEnd;
  text: string;
  output: unknown;
  /** Of the failures that were passed over: the first. */
  error: ErrorJson | undefined;
  executionId: string;
  workflowId: string;
  workflowName: string;
  workflowType: WorkflowType;
  durationMs: number;
  counts: Record<string, unknown>;
  /** In the order of the definition; of a loop's passes, all. */
  steps: readonly StepOutcome[];
  /** What it has asked of models, steps of nested workflows included; not what an earlier run of a durable one had. */
  usage?: UsageFigures;
  /** The last text of each agent. */
  agents: ReadonlyMap<string, string>;
  shared: Record<string, unknown>;
  /** Of a durable run. */
  runId: string | undefined;
  /** Steps that were not run again, because the journal had them. */
  restoredSteps: number;
}

/** What happens during a run, in order. Paths name a step within nested workflows, branches and passes. */
export interface WorkflowProgress {
  type:
    | "workflow_started"
    | "workflow_completed"
    | "workflow_failed"
    | "step_started"
    | "step_completed"
    | "step_failed"
    | "step_skipped"
    | "step_restored"
    | "iteration_started"
    | "branch_selected";
  workflow: string;
  executionId: string;
  step?: string;
  path?: string;
  /** From 0: of the pass, or of the step among its neighbours. */
  index?: number;
  /** Repetitions so far. */
  retryAttempt?: number;
  durationMs?: number;
  output?: unknown;
  error?: string;
}

export type ProgressListener = (progress: WorkflowProgress) => Promise<unknown>;

export interface ExecuteOptions {
  /** Makes the run durable under this id. */
  runId?: string;
  durable?: boolean;
  listener?: ProgressListener;
  /** Aborted: the run is cancelled for good. */
  cancel?: AbortSignal;
}

export interface WorkflowMetrics {
  total: number;
  successful: number;
  failed: number;
  averageDurationMs: number;
  /** Milliseconds since the epoch. */
  lastExecutionMs: number | undefined;
}

/** What a script may have called. */
export interface Callbacks {
  /** What it throws refuses the run. */
  before(input: Record<string, unknown>): Promise<unknown>;
  /** What these throw is logged. */
  after(result: WorkflowResult): Promise<unknown>;
  error(message: string): Promise<unknown>;
  progress(progress: WorkflowProgress): Promise<unknown>;
}

export interface Workflow {
  /** `workflow_` and a UUID. */
  readonly id: string;
  readonly definition: Definition;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  readonly shared: ReadonlyMap<string, unknown>;
  readonly status: RunEnd | "pending" | "running";
  readonly metrics: WorkflowMetrics;
  /** Of the last run. @throws SpellError not_found before one */
  readonly executionId: string;
  setShared(key: string, value: unknown): void;
  /** The same where hooks may refuse or change it. @throws SpellError permission_denied */
  share(key: string, value: unknown): Promise<void>;
  /** Besides those before. */
  on<K extends keyof Callbacks>(kind: K, fn: Callbacks[K]): void;
  /**
   * Runs it; runs of one workflow may overlap.
   * @throws SpellError `Workflow execution error: …` with the code of the failure and `data.variant`
   */
  execute(input: Record<string, unknown>, run: RunContext, options?: ExecuteOptions): Promise<WorkflowResult>;
  /** By step. @throws SpellError not_found before a run */
  outputs(): Map<string, unknown>;
  /** @returns how many there were */
  clearOutputs(): number;
  /** What hinders a run now, nested workflows included: what is named and not there, and workflows that are steps of themselves. */
  problems(): Promise<{ errors: string[]; warnings: string[] }>;
}

export interface WorkflowService {
  /** @throws SpellError invalid_argument naming the workflow and the place */
  create(table: Record<string, unknown>): Workflow;
  /** By id, or the newest of this name. */
  get(idOrName: string): Workflow | undefined;
  /** In the order of their making. */
  list(): readonly Workflow[];
  remove(idOrName: string): boolean;
  /** Keeps what a workflow is made of, for other processes too. @throws SpellError invalid_argument for functions in it, config */
  save(name: string, workflow: Workflow): Promise<void>;
  /** Makes a workflow of what was kept. */
  load(name: string): Promise<Workflow | undefined>;
  /** False where nothing of this name is kept. */
  forget(name: string): Promise<boolean>;
  clear(): void;
  /** Called with the message when any run fails. */
  setErrorHandler(fn: Callbacks["error"] | undefined): void;
  debug: boolean;
  /** Where relative paths of tools start. */
  readonly directory: string;
  /** Journals of durable runs. */
  journal(): Promise<Journal>;
  /** Begins a durable run, or goes on with it. @throws SpellError as `Journal.open` */
  openRun(beginning: RunBeginning): Promise<Opened>;
  dispose(): void;
}
