/** The workflows of this process. */
import { randomId } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { Handle, isPlainObject } from "../core/values.ts";
import type { RunContext } from "../kernel/services.ts";
import { WorkflowInstance } from "./instance.ts";
import type { Journal, Opened, RunBeginning } from "./journal/journal.ts";
import { Journals } from "./journal/journals.ts";
import { readDefinition } from "./read/definition.ts";
import type { RunIds, Surroundings } from "./run.ts";
import { forgetWorkflow, loadWorkflow, saveWorkflow } from "./saved.ts";
import type { Callbacks, Workflow, WorkflowDependencies, WorkflowService } from "./service.ts";

export function createWorkflowService(dependencies: WorkflowDependencies): WorkflowService {
  return new Workflows(dependencies);
}

/** Durable runs without an id that a script's run has begun: their number is the next one's id. */
interface ScriptRun {
  id: string;
  begun: number;
}

class Workflows implements WorkflowService {
  debug = false;
  private readonly instances = new Map<string, WorkflowInstance>();
  private readonly scriptRuns = new Map<string, ScriptRun>();
  private errorHandler: Callbacks["error"] | undefined;
  private readonly journals: Journals;
  private readonly surroundings: Surroundings;

  constructor(private readonly dependencies: WorkflowDependencies) {
    this.journals = new Journals(dependencies);
    this.surroundings = { dependencies, service: this, failed: (message) => this.failed(message) };
  }

  get directory(): string {
    return this.dependencies.cwd;
  }

  create(given: Record<string, unknown>): WorkflowInstance {
    const table = this.withInline(given) as Record<string, unknown>;
    const instance = new WorkflowInstance(readDefinition(table), this.surroundings, table);
    this.instances.set(instance.id, instance);
    this.dependencies.log.write(this.debug ? "info" : "debug", "workflow", "workflow built", {
      workflow: instance.definition.name,
      type: instance.definition.type,
    });
    return instance;
  }

  /** Tables that stand where a step wants a workflow are made into one. */
  private withInline(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.withInline(item));
    if (!isPlainObject(value)) return value;
    const entries = Object.entries(value).map(([key, member]) => {
      if (key !== "workflow" || !isPlainObject(member) || !("type" in member))
        return [key, this.withInline(member)];
      return [key, new Handle("WorkflowObject", this.create(member))];
    });
    return Object.fromEntries(entries);
  }

  async save(name: string, workflow: Workflow): Promise<void> {
    await saveWorkflow(await this.dependencies.state(), name, workflow as WorkflowInstance);
  }

  async load(name: string): Promise<WorkflowInstance | undefined> {
    const table = await loadWorkflow(await this.dependencies.state(), name);
    return table === undefined ? undefined : this.create(table);
  }

  async forget(name: string): Promise<boolean> {
    return forgetWorkflow(await this.dependencies.state(), name);
  }

  get(idOrName: string): WorkflowInstance | undefined {
    return this.find(idOrName);
  }

  find(idOrName: string): WorkflowInstance | undefined {
    const byId = this.instances.get(idOrName);
    if (byId !== undefined) return byId;
    return [...this.instances.values()].findLast(({ definition }) => definition.name === idOrName);
  }

  list(): readonly WorkflowInstance[] {
    return [...this.instances.values()];
  }

  remove(idOrName: string): boolean {
    const found = this.find(idOrName);
    return found !== undefined && this.instances.delete(found.id);
  }

  clear(): void {
    this.instances.clear();
  }

  setErrorHandler(fn: Callbacks["error"] | undefined): void {
    this.errorHandler = fn;
  }

  journal(): Promise<Journal> {
    return this.journals.journal();
  }

  openRun(beginning: RunBeginning): Promise<Opened> {
    return this.journals.open(beginning);
  }

  /** The runs of a script are numbered as they begin, so that a script that is run again finds them again. */
  runIdFor(run: RunContext): RunIds {
    let scriptRun = this.scriptRuns.get(run.id);
    if (scriptRun === undefined) {
      scriptRun = { id: run.resume ?? `run_${randomId().slice(0, 13)}`, begun: 0 };
      this.scriptRuns.set(run.id, scriptRun);
      run.vm.ended.addEventListener("abort", () => this.scriptRuns.delete(run.id), { once: true });
    }
    return { runId: `${scriptRun.id}.${++scriptRun.begun}`, scriptRun: scriptRun.id };
  }

  private async failed(message: string): Promise<void> {
    try {
      await this.errorHandler?.(message);
    } catch (error) {
      this.dependencies.log.warn("workflow", "the default error handler failed", {
        reason: messageOf(error),
      });
    }
  }

  dispose(): void {
    this.journals.dispose();
  }
}
