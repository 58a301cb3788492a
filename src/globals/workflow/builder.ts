import { Type } from "typebox";
import { SpellError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isPlainObject, type ScriptValue } from "../../core/values.ts";
import { STEP_TYPES, unknownStepType, type WorkflowType } from "../../workflows/model.ts";
import type { Table } from "../agent/fields.ts";
import {
  AnyTable,
  AnyValue,
  type ClassDecl,
  type FunctionDecl,
  LuaFunction,
  optional,
  param,
} from "../declare.ts";
import { settersOf } from "../setters.ts";

export const BUILDER = "WorkflowBuilder";
const { local, changed, setter, stores } = settersOf(BUILDER);

const chooses = (type: WorkflowType, doc: string, aliases: readonly string[] = []): FunctionDecl =>
  local({
    doc,
    params: [],
    returns: BUILDER,
    aliases,
    handler: (ctx) =>
      changed(
        ctx,
        (state) => {
          state.type = type;
        },
        undefined,
      ),
  });

const listOf = (state: Table, key: string) => (state[key] as ScriptValue[] | undefined) ?? [];

const appendsStep = (key: string, doc: string, aliases: readonly string[] = []): FunctionDecl =>
  setter(
    "step",
    AnyTable,
    doc,
    (state, value) => {
      state[key] = [...listOf(state, key), checkedStep(value as Table)];
    },
    aliases,
  );

/** One step or a list of them. */
const appendsSteps = (key: string, doc: string): FunctionDecl =>
  setter("steps", AnyValue, doc, (state, value) => {
    const steps = Array.isArray(value) ? value : [value];
    state[key] = [...listOf(state, key), ...steps.map((step) => checkedStep(step as Table))];
  });

/** Says at once what is wrong with a step's kind: the script then stops where it was written. */
function checkedStep(step: Table): Table {
  if (!isPlainObject(step)) throw refuse("a step must be a table: {name = …, type = …}");
  const { name, id, type, action } = step;
  const inner: Table = isPlainObject(action) ? { ...(action as Table), ...step } : step;
  const shown = String(name ?? id ?? "?");
  if (type !== undefined && type !== null && !STEP_TYPES.some((known) => known === type)) {
    const isFunction = type === "function" || type === "custom";
    const hint = isFunction
      ? "Make a tool of the function: Tool.register(name, fn)"
      : didYouMean(String(type), STEP_TYPES);
    throw refuse(`step "${shown}": ${unknownStepType(type)}`, hint);
  }
  if (type === "agent" && (inner.agent === undefined || inner.agent === null))
    throw refuse(`step "${shown}" has no agent`, "Build the agent before the step: Agent.builder()");
  return step;
}

const refuse = (rule: string, hint?: string): SpellError =>
  new SpellError("invalid_argument", `Cannot add the step: ${rule}`, hint === undefined ? {} : { hint });

const STEP =
  "`{name, type = tool | agent | workflow, tool? | agent? | workflow?, input?, timeout_ms? = 30000, retry_count?, retry_delay_ms? = 1000, backoff? = fixed | exponential, condition?, continue_on_error?, on_error? = retry | skip | fail, repeatable?}`";

const CONDITION =
  "`{type = always | never | shared_data_equals | shared_data_exists | step_output_equals | step_output_contains | step_result_equals | step_succeeded | step_failed | agent_classification | and | or | not | custom, …}`, an expression, or a function that gets `{input, steps, shared_data, iteration}`";

export const builderClass: ClassDecl = {
  name: BUILDER,
  doc: "Gathers what a workflow is. Every setter changes the builder and returns it.",
  local: true,
  methods: {
    name: stores("name", Type.String(), "The workflow's name. Default `workflow_` and 8 hex digits"),
    description: stores("description", Type.String(), "What it is for"),
    sequential: chooses("sequential", "Steps one after another."),
    parallel: chooses(
      "parallel",
      "Branches side by side; a step added by `add_step` is a branch of its own.",
    ),
    conditional: chooses("conditional", "Steps of `add_step`, then the branch whose condition holds."),
    loop: chooses("loop", "The body for every value of a range or list, or as long as a condition holds.", [
      "loop_workflow",
    ]),
    add_step: appendsStep("steps", `${STEP}. Raises for an unknown type, and for an agent that is nil`),
    step: local({
      doc: '`add_step` with the name first: `builder:step("sum", {tool = "calculator", params = {input = "1+1"}})`.',
      params: [param("name", Type.String(), "The step's name"), param("step", AnyTable, STEP)],
      returns: BUILDER,
      handler: (ctx, name, step) =>
        changed(
          ctx,
          (state) => {
            state.steps = [...listOf(state, "steps"), checkedStep({ ...step, name })];
          },
          undefined,
        ),
    }),
    error_strategy: stores(
      "error_strategy",
      Type.String(),
      "`fail_fast` (default), `continue`, or `retry` (3 attempts, 1000 ms apart); other words are `fail_fast`",
    ),
    on_error: stores("on_error", Type.String(), "`retry`, `skip` (is `continue`) or `fail`"),
    max_retries: stores("max_retries", Type.Integer(), "Attempts after the first, for every step"),
    retry_delay_ms: stores("retry_delay_ms", Type.Number(), "Between attempts. Default 1000"),
    backoff: stores(
      "backoff",
      Type.String(),
      "`fixed` (default) or `exponential`: each pause is twice the one before",
    ),
    timeout_ms: stores("timeout_ms", Type.Number(), "For the whole run. Default: none", ["timeout"]),
    budget: stores(
      "budget",
      AnyTable,
      "`{tokens?, cost?, calls?, time?}`: what one run may spend on models, cost in USD and time in seconds; a call that may exceed it is refused",
    ),
    max_concurrency: stores("max_concurrency", Type.Integer(), "Parallel: branches at a time. Default 4"),
    fail_fast: stores(
      "fail_fast",
      Type.Boolean(),
      "Parallel: the first failure ends the other branches. Default true, with the strategy `continue` false",
    ),
    branch: local({
      doc: "Parallel: one more branch of one step.",
      params: [param("name", Type.String(), "The branch's name"), param("step", AnyTable, STEP)],
      returns: BUILDER,
      handler: (ctx, name, step) =>
        changed(
          ctx,
          (state) => {
            const one = checkedStep({ ...step, name: step.name ?? name });
            state.branches = [...listOf(state, "branches"), { name, steps: [one] }];
          },
          undefined,
        ),
    }),
    merge_strategy: stores(
      "merge_strategy",
      Type.String(),
      "Parallel: the output is a `map` of the branches' (default), an `array`, one text (`concat`) or the `first`",
    ),
    condition: local({
      doc: "Conditional: when the steps of `add_then_step` run. Unset, always.",
      params: [
        param("condition", AnyValue, CONDITION),
        optional("expected", AnyValue, 'With `"step:NAME:output"`: what that output must be'),
      ],
      returns: BUILDER,
      handler: (ctx, condition, expected) =>
        changed(
          ctx,
          (state) => {
            state.condition = condition as ScriptValue;
            if (expected !== undefined) state.expected = expected as ScriptValue;
          },
          undefined,
        ),
    }),
    add_then_step: appendsStep("then_steps", "Conditional: a step for where the condition holds"),
    add_else_step: appendsStep("else_steps", "Conditional: a step for where no condition holds"),
    when_true: appendsSteps("then_steps", "Conditional: a step or a list for where the condition holds"),
    when_false: appendsSteps("else_steps", "Conditional: a step or a list for where no condition holds"),
    add_branch: local({
      doc: "Conditional: one more branch. The first whose condition holds runs.",
      params: [param("condition", AnyValue, CONDITION), param("steps", Type.Array(AnyTable), "Its steps")],
      returns: BUILDER,
      handler: (ctx, condition, steps) =>
        changed(
          ctx,
          (state) => {
            const all = listOf(state, "branches");
            const name = `branch_${all.length + 1}`;
            state.branches = [
              ...all,
              { name, condition: condition as ScriptValue, steps: steps.map(checkedStep) },
            ];
          },
          undefined,
        ),
    }),
    with_range: stores(
      "range",
      AnyTable,
      'Loop: `{start = 1, ["end"] = 10, step = 1}`; the end is exclusive',
    ),
    with_collection: stores("collection", Type.Array(AnyValue), "Loop: a list of values of any kind"),
    with_while: stores(
      "while_condition",
      AnyValue,
      'Loop: as long as it holds, `"$iteration < 5"`; a condition or a function works too',
    ),
    loop_condition: stores(
      "loop_condition",
      LuaFunction,
      "Loop: asked before each pass; false ends the loop",
    ),
    max_iterations: stores(
      "max_iterations",
      Type.Integer(),
      "Loop: at most so many passes. Default: none, with `with_while` 1000",
    ),
    body: appendsSteps("body", "Loop: a step or a list of what is done in each pass"),
    body_step: appendsStep("body", "Loop: a step of what is done in each pass"),
    break_condition: setter(
      "condition",
      AnyValue,
      "Loop: asked after each pass; where it holds, the loop ends",
      (state, value) => {
        state.break_conditions = [...listOf(state, "break_conditions"), value];
      },
    ),
    continue_on_error: stores(
      "continue_on_error",
      Type.Boolean(),
      "Loop: a pass that fails does not end the loop",
    ),
    aggregation: stores(
      "aggregation",
      Type.String(),
      "Loop: the output is a list of the passes' (`collect_all`, the default), `last_only`, `first_n`, `last_n` or `none`",
    ),
    aggregation_count: stores("aggregation_count", Type.Integer(), "Loop: the n of `first_n` and `last_n`"),
    iteration_delay_ms: stores("iteration_delay_ms", Type.Number(), "Loop: a pause between passes"),
    durable: stores(
      "durable",
      Type.Boolean(),
      "True: a run is journalled and can be resumed (`llmspell workflow`)",
    ),
    run_id: stores(
      "run_id",
      Type.String(),
      "Durable, under this id: a run that stopped goes on when it is executed again",
    ),
    build: local({
      doc: "Makes the workflow. Raises for whatever is wrong with it, naming the place; `Workflow type not specified` without a type.",
      params: [],
      returns: "WorkflowObject",
      handler: (ctx) => ctx.wait("Workflow", "create", ctx.self),
    }),
  },
};
