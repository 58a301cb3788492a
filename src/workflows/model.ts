/** What a workflow is: a definition is checked once (`read/definition.ts`) and never changes afterwards. */
import type { Agent } from "../agents/service.ts";
import type { ScriptFunction } from "../core/values.ts";
import type { BudgetLimits } from "../models/calls/budget.ts";
import type { Expression } from "./expression/parse.ts";

export const WORKFLOW_TYPES = ["sequential", "conditional", "loop", "parallel"] as const;
export type WorkflowType = (typeof WORKFLOW_TYPES)[number];

export const STEP_TYPES = ["tool", "agent", "workflow"] as const;
export type StepType = (typeof STEP_TYPES)[number];

export const unknownStepType = (type: unknown): string =>
  `Unknown step type: '${String(type)}'. Supported types: ${STEP_TYPES.join(", ")}`;

/** What to do when a step fails: stop, note it and go on, or try again (3 times in all) and then stop. */
export type ErrorStrategy = "fail_fast" | "continue" | "retry";

export interface RetryRule {
  /** Attempts after the first. */
  count: number;
  /** Before the first repetition. */
  delayMs: number;
  /** Each pause is twice the one before. */
  exponential: boolean;
}

interface StepFields {
  /** Unique among the steps that run in one line. */
  readonly name: string;
  /** Texts in it may hold placeholders. */
  readonly input: unknown;
  readonly timeoutMs: number;
  readonly retry: RetryRule;
  /** A failure does not stop the workflow. */
  readonly continueOnError: boolean;
  /** Where it does not hold, the step is passed over. */
  readonly condition: Condition | undefined;
  /** Whether it may be done twice when nobody knows whether it was done; undefined: by what it does. */
  readonly repeatable: boolean | undefined;
}

export interface ToolStep extends StepFields {
  readonly type: "tool";
  readonly tool: string;
}

export interface AgentStep extends StepFields {
  readonly type: "agent";
  /** Its name, or the agent itself. */
  readonly agent: string | Agent;
}

export interface WorkflowStep extends StepFields {
  readonly type: "workflow";
  /** A name is looked up when the step runs. */
  readonly workflow: NestedWorkflow | string;
}

export type Step = ToolStep | AgentStep | WorkflowStep;

/** A workflow as a step of another. */
export interface NestedWorkflow {
  readonly id: string;
  readonly definition: Definition;
  readonly shared: ReadonlyMap<string, unknown>;
}

export interface Branch {
  readonly name: string;
  /** Of a conditional workflow's branches. */
  readonly condition: Condition | undefined;
  readonly steps: readonly Step[];
  /** False: of a parallel workflow, its failure is noted and is none of the workflow's. */
  readonly required: boolean;
  readonly timeoutMs: number | undefined;
}

export type Iterator =
  /** `end` is exclusive. */
  | { readonly type: "range"; readonly start: number; readonly end: number; readonly step: number }
  | { readonly type: "collection"; readonly items: readonly unknown[] }
  /** Goes on as long as it holds. */
  | { readonly type: "while"; readonly condition: Condition; readonly text: string };

export const AGGREGATIONS = ["collect_all", "last_only", "first_n", "last_n", "none"] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

export const MERGES = ["map", "array", "concat", "first"] as const;
/** What a parallel workflow gives: its branches' outputs by name, as a list, as one text, or the first one. */
export type Merge = (typeof MERGES)[number];

interface DefinitionFields {
  readonly name: string;
  readonly description: string;
  readonly errorStrategy: ErrorStrategy;
  /** For the whole run. */
  readonly timeoutMs: number | undefined;
  /** What one run may spend on models. */
  readonly budget: BudgetLimits | undefined;
  /** A run is journalled and can be resumed: under this id, or under one of its own. */
  readonly durable: boolean;
  readonly runId: string | undefined;
}

export interface SequentialDefinition extends DefinitionFields {
  readonly type: "sequential";
  readonly steps: readonly Step[];
}

export interface ParallelDefinition extends DefinitionFields {
  readonly type: "parallel";
  readonly branches: readonly Branch[];
  readonly maxConcurrency: number;
  /** The first failure ends the other branches. */
  readonly failFast: boolean;
  readonly merge: Merge;
}

export interface ConditionalDefinition extends DefinitionFields {
  readonly type: "conditional";
  /** Run before the branches are chosen. */
  readonly steps: readonly Step[];
  readonly branches: readonly Branch[];
  readonly defaultBranch: Branch | undefined;
  /** Default: the first that matches. */
  readonly executeAllMatching: boolean;
}

export interface LoopDefinition extends DefinitionFields {
  readonly type: "loop";
  readonly iterator: Iterator;
  readonly body: readonly Step[];
  readonly maxIterations: number | undefined;
  /** Asked before each pass. */
  readonly loopCondition: Condition | undefined;
  /** Asked after each pass: the first that holds ends the loop. */
  readonly breakConditions: readonly Condition[];
  readonly continueOnError: boolean;
  readonly aggregation: Aggregation;
  /** For `first_n` and `last_n`. */
  readonly aggregationCount: number;
  readonly iterationDelayMs: number;
}

export type Definition = SequentialDefinition | ParallelDefinition | ConditionalDefinition | LoopDefinition;

export type Condition =
  | { readonly type: "always" | "never" }
  | { readonly type: "shared_data_equals"; readonly key: string; readonly value: unknown }
  | { readonly type: "shared_data_exists"; readonly key: string }
  | {
      readonly type: "step_output_equals" | "step_result_equals";
      readonly step: string;
      readonly value: unknown;
    }
  | { readonly type: "step_output_contains"; readonly step: string; readonly text: string }
  /** The step's output is there and neither empty nor false. */
  | { readonly type: "step_output_exists"; readonly step: string }
  | { readonly type: "step_succeeded" | "step_failed"; readonly step: string }
  | { readonly type: "agent_classification"; readonly step: string; readonly label: string }
  | { readonly type: "and" | "or"; readonly conditions: readonly Condition[] }
  | { readonly type: "not"; readonly condition: Condition }
  | { readonly type: "custom"; readonly text: string; readonly expression: Expression }
  | { readonly type: "function"; readonly call: ScriptFunction };

export const DEFAULTS = {
  stepTimeoutMs: 30_000,
  retryDelayMs: 1000,
  /** With the strategy `retry`: the first one counts. */
  retryAttempts: 3,
  maxConcurrency: 4,
  conditionTimeoutMs: 1000,
  mostBranches: 100,
  range: { start: 1, end: 10, step: 1 },
  /** Of a `while` loop that names no cap. */
  maxIterations: 1000,
} as const;
