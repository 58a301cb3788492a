/** Step tables: spec/lua-api.md section 3.2. */
import type { Agent } from "../../agents/service.ts";
import { didYouMean } from "../../core/nearest.ts";
import { Handle, isPlainObject } from "../../core/values.ts";
import {
  DEFAULTS,
  type NestedWorkflow,
  STEP_TYPES,
  type Step,
  type StepType,
  unknownStepType,
} from "../model.ts";
import { maybeCondition } from "./conditions.ts";
import {
  checkKeys,
  checkNames,
  isNil,
  list,
  maybeCount,
  maybeFlag,
  maybeNumber,
  type Place,
  refuseObjects,
  type Table,
  table,
  text,
  word,
} from "./fields.ts";

const FIELDS = [
  "name",
  "id",
  "type",
  "description",
  "tool",
  "input",
  "parameters",
  "params",
  "agent",
  "prompt",
  "workflow",
  "timeout_ms",
  "timeout",
  "retry_count",
  "retry_delay_ms",
  "backoff",
  "continue_on_error",
  "condition",
  "on_error",
  "repeatable",
  "action",
];

/** What holds for every step that does not say otherwise. */
export interface StepDefaults {
  /** Attempts after the first. */
  retryCount: number;
  retryDelayMs: number;
  exponential: boolean;
}

export function readSteps(value: unknown, place: Place, defaults: StepDefaults): Step[] {
  const given = isPlainObject(value) && "name" in value ? [value] : list(value ?? [], place);
  const steps = given.map((step, i) => readStep(step, place.item(i), defaults));
  checkNames(steps, "step", place);
  return steps;
}

function readStep(value: unknown, place: Place, defaults: StepDefaults): Step {
  const given = flattened(table(value, place));
  checkKeys(given, FIELDS, place);
  const name = text(given.name ?? given.id, place.at("name"));
  const type = readType(given, name, place);
  const onError = word(given.on_error, ["retry", "skip", "continue", "fail"] as const, place.at("on_error"));
  const backoff = word(given.backoff, ["fixed", "exponential"] as const, place.at("backoff"));
  const retryCount = maybeCount(given.retry_count, place.at("retry_count"), 0);
  for (const key of ["input", "parameters", "params"]) refuseObjects(given[key], place.at(key));
  const common = {
    name,
    timeoutMs:
      maybeNumber(given.timeout_ms ?? given.timeout, place.at("timeout_ms"), 1) ?? DEFAULTS.stepTimeoutMs,
    retry: {
      count: retryCount ?? (onError === "retry" ? DEFAULTS.retryAttempts - 1 : defaults.retryCount),
      delayMs: maybeNumber(given.retry_delay_ms, place.at("retry_delay_ms"), 0) ?? defaults.retryDelayMs,
      exponential: backoff === undefined ? defaults.exponential : backoff === "exponential",
    },
    continueOnError:
      maybeFlag(given.continue_on_error, place.at("continue_on_error")) ??
      (onError === "skip" || onError === "continue"),
    condition: maybeCondition(given.condition, place.at("condition")),
    repeatable: maybeFlag(given.repeatable, place.at("repeatable")),
  };
  switch (type) {
    case "tool": {
      const input = given.input ?? given.parameters ?? given.params ?? {};
      if (!isPlainObject(input) && !isEmptyList(input))
        throw place.at("input").refuse("must be a table", input);
      return {
        ...common,
        type,
        tool: text(given.tool, place.at("tool")),
        input: isPlainObject(input) ? input : {},
      };
    }
    case "agent":
      return { ...common, type, agent: readAgent(given.agent, name, place), input: agentInput(given, place) };
    case "workflow": {
      const input = given.input ?? given.parameters ?? given.params ?? {};
      if (!isPlainObject(input) && !isEmptyList(input) && typeof input !== "string")
        throw place.at("input").refuse("must be a table", input);
      return {
        ...common,
        type,
        workflow: readWorkflow(given.workflow, name, place),
        input: isEmptyList(input) ? {} : input,
      };
    }
  }
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** `{id, action = {…}}` is `{name, …}`. */
function flattened({ action, ...rest }: Table): Table {
  return isPlainObject(action) ? { ...action, ...rest } : rest;
}

function readType(given: Table, name: string, place: Place): StepType {
  const { type } = given;
  if (isNil(type)) {
    const implied = STEP_TYPES.find((known) => known in given);
    if (implied !== undefined) return implied;
    throw place.at("type").refuse("is required", undefined, `Types are ${STEP_TYPES.join(", ")}`);
  }
  const known = STEP_TYPES.find((one) => one === type);
  if (known !== undefined) return known;
  throw place.refuse(
    `of step "${name}" is wrong: ${unknownStepType(type)}`,
    undefined,
    type === "function" || type === "custom"
      ? "Make a tool of the function: Tool.register(name, fn)"
      : didYouMean(String(type), STEP_TYPES),
  );
}

function readAgent(value: unknown, step: string, place: Place): string | Agent {
  if (value instanceof Handle && value.className === "AgentObject") return value.object as Agent;
  if (isNil(value) || value === "")
    throw place
      .at("agent")
      .refuse(
        `of step "${step}" is missing: there is no agent`,
        undefined,
        "Build the agent first: Agent.builder()",
      );
  return text(value, place.at("agent"));
}

function agentInput(given: Table, place: Place): unknown {
  const input = given.input ?? given.prompt ?? given.params ?? given.parameters;
  if (isNil(input) || typeof input === "string" || isPlainObject(input)) return input ?? "";
  if (typeof input === "number" || typeof input === "bigint") return String(input);
  throw place.at("input").refuse("must be a string or a table with a text", input);
}

function readWorkflow(value: unknown, step: string, place: Place): string | NestedWorkflow {
  if (value instanceof Handle && value.className === "WorkflowObject") return value.object as NestedWorkflow;
  if (isNil(value)) throw place.at("workflow").refuse(`of step "${step}" is missing: there is no workflow`);
  if (value instanceof Handle)
    throw place
      .at("workflow")
      .refuse(`of step "${step}" must be a workflow`, value, "Call build() on a builder first");
  return text(value, place.at("workflow"));
}
