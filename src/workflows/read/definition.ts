/** Makes a definition of a table, as the constructors, the builder and YAML files give it. Everything is checked here. */
import { randomId } from "../../core/clock.ts";
import { didYouMean } from "../../core/nearest.ts";
import { isPlainObject } from "../../core/values.ts";
import { budgetLimits } from "../../models/calls/budget-table.ts";
import {
  type Branch,
  type ConditionalDefinition,
  DEFAULTS,
  type Definition,
  type ErrorStrategy,
  MERGES,
  type ParallelDefinition,
  type SequentialDefinition,
  WORKFLOW_TYPES,
  type WorkflowType,
} from "../model.ts";
import { readCondition } from "./conditions.ts";
import {
  checkKeys,
  checkNames,
  isNil,
  list,
  maybeCount,
  maybeFlag,
  maybeNumber,
  maybeText,
  Place,
  type Table,
  table,
  text,
  word,
} from "./fields.ts";
import { LOOP_FIELDS, readLoop } from "./loop.ts";
import { readSteps, type StepDefaults } from "./steps.ts";
import { refuseUnseen } from "./unseen.ts";

const COMMON = [
  "name",
  "description",
  "type",
  "error_strategy",
  "on_error",
  "max_retries",
  "retry_delay_ms",
  "backoff",
  "timeout_ms",
  "timeout",
  "budget",
  "durable",
  "run_id",
];
const FIELDS: Readonly<Record<WorkflowType, readonly string[]>> = {
  sequential: ["steps"],
  parallel: ["steps", "branches", "max_concurrency", "fail_fast", "merge_strategy"],
  conditional: [
    "steps",
    "branches",
    "default_branch",
    "condition",
    "expected",
    "then_steps",
    "else_steps",
    "execute_all_matching",
  ],
  loop: LOOP_FIELDS,
};
const SHOWN: Readonly<Record<string, string>> = { then_steps: "then", else_steps: "else" };

/** @throws SpellError invalid_argument naming the workflow and the place */
export function readDefinition(given: Table): Definition {
  const definition = read(given);
  refuseUnseen(definition);
  return definition;
}

function read(given: Table): Definition {
  const name = isNil(given.name) ? `workflow_${randomId().slice(0, 8)}` : given.name;
  const place = new Place(String(name), "");
  const common = { name: text(name, place.at("name")), ...commonOf(given, place) };
  const type = typeOf(given, place);
  checkKeys(given, [...COMMON, ...FIELDS[type]], place);
  const defaults = stepDefaults(given, common.errorStrategy, place);
  switch (type) {
    case "sequential":
      return sequential(given, common, place, defaults);
    case "parallel":
      return parallel(given, common, place, defaults);
    case "conditional":
      return conditional(given, common, place, defaults);
    case "loop":
      return { ...common, ...readLoop(given, place, defaults) };
  }
}

type Common = Pick<
  SequentialDefinition,
  "name" | "description" | "errorStrategy" | "timeoutMs" | "budget" | "durable" | "runId"
>;

function typeOf({ type }: Table, place: Place): WorkflowType {
  if (isNil(type))
    throw place.refuse(
      "Workflow type not specified",
      undefined,
      "Choose one: builder:sequential(), :parallel(), :conditional() or :loop()",
    );
  const known = WORKFLOW_TYPES.find((one) => one === String(type).toLowerCase());
  if (known !== undefined) return known;
  throw place
    .at("type")
    .refuse(`must be one of ${WORKFLOW_TYPES.join(", ")}`, type, didYouMean(String(type), WORKFLOW_TYPES));
}

function commonOf(given: Table, place: Place): Omit<Common, "name"> {
  const runId = maybeText(given.run_id, place.at("run_id"));
  return {
    description: isNil(given.description) ? "" : String(given.description),
    errorStrategy: strategyOf(given),
    timeoutMs: maybeNumber(given.timeout_ms ?? given.timeout, place.at("timeout_ms"), 1),
    budget: budgetLimits(`workflow "${place.workflow}"`, given.budget),
    durable: maybeFlag(given.durable, place.at("durable")) ?? runId !== undefined,
    runId,
  };
}

/** Other words mean `fail_fast`. */
function strategyOf({ error_strategy, on_error }: Table): ErrorStrategy {
  const given = String(error_strategy ?? on_error ?? "").toLowerCase();
  if (given === "continue" || given === "skip") return "continue";
  return given === "retry" ? "retry" : "fail_fast";
}

function stepDefaults(given: Table, strategy: ErrorStrategy, place: Place): StepDefaults {
  const backoff = word(given.backoff, ["fixed", "exponential"] as const, place.at("backoff"));
  const retries = maybeCount(given.max_retries, place.at("max_retries"), 0);
  return {
    retryCount: retries ?? (strategy === "retry" ? DEFAULTS.retryAttempts - 1 : 0),
    retryDelayMs: maybeNumber(given.retry_delay_ms, place.at("retry_delay_ms"), 0) ?? DEFAULTS.retryDelayMs,
    exponential: backoff === "exponential",
  };
}

function sequential(
  given: Table,
  common: Common,
  place: Place,
  defaults: StepDefaults,
): SequentialDefinition {
  const steps = readSteps(given.steps, place.at("steps"), defaults);
  if (steps.length === 0) throw noSteps(place);
  return { ...common, type: "sequential", steps };
}

const noSteps = (place: Place) =>
  place.refuse("must have at least one step", undefined, "Add one: builder:add_step{name = …, type = …}");

function parallel(given: Table, common: Common, place: Place, defaults: StepDefaults): ParallelDefinition {
  const named = (key: "branches" | "steps") =>
    list(given[key] ?? [], place.at(key)).map((item, i) =>
      parallelBranch(item, place.at(key).item(i), defaults),
    );
  const branches = [...named("branches"), ...named("steps")];
  if (branches.length === 0) throw noSteps(place);
  if (branches.length > DEFAULTS.mostBranches)
    throw place.refuse(`must not have more than ${DEFAULTS.mostBranches} branches`, branches.length);
  checkNames(branches, "branch", place.at("branches"));
  return {
    ...common,
    type: "parallel",
    branches,
    maxConcurrency:
      maybeCount(given.max_concurrency, place.at("max_concurrency"), 1) ?? DEFAULTS.maxConcurrency,
    failFast: maybeFlag(given.fail_fast, place.at("fail_fast")) ?? common.errorStrategy !== "continue",
    merge: word(given.merge_strategy, MERGES, place.at("merge_strategy")) ?? "map",
  };
}

/** A step without `steps` is a branch of its own. */
function parallelBranch(value: unknown, place: Place, defaults: StepDefaults): Branch {
  const given = table(value, place);
  if (!("steps" in given)) {
    const [step] = readSteps([given], place, defaults);
    return { name: step!.name, condition: undefined, steps: [step!], required: true, timeoutMs: undefined };
  }
  checkKeys(given, ["name", "steps", "required", "optional", "timeout_ms", "timeout", "description"], place);
  return readBranch(given, place, defaults);
}

function readBranch(given: Table, place: Place, defaults: StepDefaults): Branch {
  const steps = readSteps(given.steps, place.at("steps"), defaults);
  if (steps.length === 0) throw place.at("steps").refuse("must not be empty");
  const optional = maybeFlag(given.optional, place.at("optional")) ?? false;
  return {
    name: text(given.name, place.at("name")),
    condition: undefined,
    steps,
    required: maybeFlag(given.required, place.at("required")) ?? !optional,
    timeoutMs: maybeNumber(given.timeout_ms ?? given.timeout, place.at("timeout_ms"), 1),
  };
}

function conditional(
  given: Table,
  common: Common,
  place: Place,
  defaults: StepDefaults,
): ConditionalDefinition {
  const stepsOf = (key: string) => readSteps(given[key], place.at(key), defaults);
  const steps = stepsOf("steps");
  const thenSteps = stepsOf("then_steps");
  const elseSteps = stepsOf("else_steps");
  const branches: Branch[] = [];
  if (thenSteps.length > 0) {
    const condition = isNil(given.condition)
      ? ({ type: "always" } as const)
      : readCondition(given.condition, place.at("condition"), given.expected);
    branches.push(branchOf("then", thenSteps, condition));
  }
  const all = place.at("branches");
  for (const [i, item] of list(given.branches ?? [], all).entries()) {
    const one = table(item, all.item(i));
    checkKeys(one, ["name", "condition", "expected", "steps", "description"], all.item(i));
    const branch = readBranch({ ...one, name: one.name ?? `branch_${i + 1}` }, all.item(i), defaults);
    const condition = isNil(one.condition)
      ? ({ type: "always" } as const)
      : readCondition(one.condition, all.item(i).at("condition"), one.expected);
    branches.push({ ...branch, condition });
  }
  const defaultBranch = readDefault(given, elseSteps, place, defaults);
  if (branches.length === 0 && defaultBranch === undefined) {
    if (steps.length === 0) throw noSteps(place);
    throw place.refuse("must have at least one branch", undefined, "Add one: builder:add_then_step{…}");
  }
  if (branches.length > DEFAULTS.mostBranches)
    throw place.refuse(`must not have more than ${DEFAULTS.mostBranches} branches`, branches.length);
  checkNames([...branches, ...(defaultBranch === undefined ? [] : [defaultBranch])], "branch", all);
  const first = new Set(steps.map((step) => step.name));
  for (const branch of [...branches, ...(defaultBranch === undefined ? [] : [defaultBranch])])
    for (const step of branch.steps)
      if (first.has(step.name))
        throw place.refuse(
          `step "${step.name}" of branch "${branch.name}" must not have the name of a step before the branches`,
        );
  return {
    ...common,
    type: "conditional",
    steps,
    branches,
    defaultBranch,
    executeAllMatching: maybeFlag(given.execute_all_matching, place.at("execute_all_matching")) ?? false,
  };
}

const branchOf = (name: string, steps: Branch["steps"], condition: Branch["condition"]): Branch => ({
  name: SHOWN[name] ?? name,
  condition,
  steps,
  required: true,
  timeoutMs: undefined,
});

function readDefault(
  given: Table,
  elseSteps: Branch["steps"],
  place: Place,
  defaults: StepDefaults,
): Branch | undefined {
  if (elseSteps.length > 0) return branchOf("else_steps", elseSteps, undefined);
  const { default_branch: value } = given;
  if (isNil(value)) return undefined;
  const where = place.at("default_branch");
  const one: Table = isPlainObject(value) && "steps" in value ? value : { steps: value };
  return readBranch({ ...one, name: one.name ?? "default" }, where, defaults);
}
