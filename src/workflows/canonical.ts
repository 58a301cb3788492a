/** A definition as JSON: what a journal keeps to know it again. Functions are named by their place, agents by their name. */
import { stringifyJson } from "../core/json.ts";
import { isPlainObject, isScriptFunction } from "../core/values.ts";
import { toWire } from "../core/wire-values.ts";
import type { Definition, Step } from "./model.ts";

/** What does not change what a workflow does. */
const LEFT_OUT = new Set(["description", "runId", "durable", "budget", "expression"]);

export function canonicalOf(definition: Definition): string {
  let functions = 0;
  const plain = (value: unknown): unknown => {
    if (isScriptFunction(value)) return `function #${++functions}`;
    if (Array.isArray(value)) return value.map(plain);
    if (!isPlainObject(value)) return toWire(value) ?? null;
    if (isStep(value)) return { ...members(value), ...target(value) };
    return members(value);
  };
  const members = (value: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(value)
        .filter(
          ([key, member]) => member !== undefined && !LEFT_OUT.has(key) && !(isStep(value) && isTarget(key)),
        )
        .map(([key, member]) => [key, plain(member)]),
    );
  const target = (step: Step) => {
    if (step.type === "tool") return { tool: step.tool };
    if (step.type === "agent")
      return { agent: typeof step.agent === "string" ? step.agent : step.agent.name };
    return { workflow: typeof step.workflow === "string" ? step.workflow : plain(step.workflow.definition) };
  };
  return stringifyJson(plain(definition));
}

const isTarget = (key: string): boolean => key === "agent" || key === "workflow";

const isStep = (value: unknown): value is Step & Record<string, unknown> =>
  isPlainObject(value) && "retry" in value && "timeoutMs" in value && "input" in value;

/** Its own steps, not those of nested workflows. */
export function* allSteps(definition: Definition): Generator<Step> {
  switch (definition.type) {
    case "sequential":
      yield* definition.steps;
      return;
    case "loop":
      yield* definition.body;
      return;
    case "parallel":
      for (const branch of definition.branches) yield* branch.steps;
      return;
    case "conditional":
      yield* definition.steps;
      for (const branch of definition.branches) yield* branch.steps;
      yield* definition.defaultBranch?.steps ?? [];
  }
}
