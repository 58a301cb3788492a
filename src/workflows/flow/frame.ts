/** What all parts of one workflow's run share. */
import { runWithSignal } from "../../agents/run-scope.ts";
import type { RunContext } from "../../kernel/services.ts";
import { type Asked, holds } from "../conditions.ts";
import type { RunJournal } from "../journal/run-journal.ts";
import type { Condition, Definition } from "../model.ts";
import type { StepOutcome } from "../outcome.ts";
import type { Scope } from "../scope.ts";
import type { Workflow, WorkflowDependencies } from "../service.ts";
import type { StateKeys } from "../state-keys.ts";
import type { Teller } from "../tell.ts";

interface Parts {
  workflow: Workflow;
  executionId: string;
  run: RunContext;
  dependencies: WorkflowDependencies;
  journal: RunJournal | undefined;
  /** Before the names of its steps in the journal: empty, or with a slash at its end. */
  path: string;
  scope: Scope;
  tell: Teller;
  keys: StateKeys;
  tally: Tally;
  /** Ids of the workflows of which this one is a step, outermost first, and its own. */
  chain: readonly string[];
}

/** What is counted over a whole run. */
export interface Tally {
  /** Last texts of agents; the last one that spoke comes last. */
  agents: Map<string, string>;
  restored: number;
}

export class Frame implements Readonly<Parts> {
  readonly workflow!: Workflow;
  readonly executionId!: string;
  readonly run!: RunContext;
  readonly dependencies!: WorkflowDependencies;
  readonly journal!: RunJournal | undefined;
  readonly path!: string;
  readonly scope!: Scope;
  readonly tell!: Teller;
  readonly keys!: StateKeys;
  readonly tally!: Tally;
  readonly chain!: readonly string[];

  constructor(private readonly parts: Parts) {
    Object.assign(this, parts);
  }

  get definition(): Definition {
    return this.workflow.definition;
  }

  get signal(): AbortSignal {
    return this.run.signal;
  }

  with(change: Partial<Pick<Parts, "path" | "scope">>): Frame {
    return new Frame({ ...this.parts, ...change });
  }

  /** @param signal must be aborted whenever this one's is */
  withSignal(signal: AbortSignal): Frame {
    return new Frame({ ...this.parts, run: runWithSignal(this.run, signal) });
  }

  /** Asks a condition once: a run that is resumed goes the way it went. */
  choose(path: string, condition: Condition): Promise<boolean> {
    if (condition.type === "always" || condition.type === "never")
      return Promise.resolve(condition.type === "always");
    const ask = () => this.holds(condition);
    return this.journal === undefined ? ask() : this.journal.decide(this.path + path, ask);
  }

  async holds(condition: Condition): Promise<boolean> {
    const asked: Asked = {
      scope: this.scope,
      signal: this.signal,
      workflow: this.definition.name,
      global: (key) => this.keys.global(key),
    };
    const result = await holds(condition, asked);
    await this.tell.point("condition_evaluation", { condition: condition.type, result }, this.signal);
    return result;
  }

  noteAgents(outcome: StepOutcome): void {
    for (const [agent, text] of outcome.agents) {
      this.tally.agents.delete(agent);
      this.tally.agents.set(agent, text);
    }
  }
}
