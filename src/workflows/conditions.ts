/** Whether a condition holds now. */
import { abortable } from "../agents/deadline.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import { isPlainObject, type ScriptValue } from "../core/values.ts";
import { evaluate, isEqual, isTrue } from "./expression/evaluate.ts";
import { type Condition, DEFAULTS } from "./model.ts";
import { textOf } from "./outcome.ts";
import type { Scope } from "./scope.ts";

export interface Asked {
  scope: Scope;
  signal: AbortSignal;
  /** What the script calls the workflow. */
  workflow: string;
  /** A value of the state that is nobody's own. */
  global(key: string): Promise<unknown>;
}

/** @throws SpellError of a function that fails or takes longer than a second */
export async function holds(condition: Condition, asked: Asked): Promise<boolean> {
  const { scope } = asked;
  switch (condition.type) {
    case "always":
      return true;
    case "never":
      return false;
    case "shared_data_exists":
      return (await sharedOf(asked, condition.key)) !== undefined;
    case "shared_data_equals":
      return isEqual(await sharedOf(asked, condition.key), condition.value);
    case "step_succeeded":
      return scope.step(condition.step)?.status === "completed";
    case "step_failed":
      return scope.step(condition.step)?.status === "failed";
    case "step_output_exists":
      return isTrue(scope.step(condition.step)?.value);
    case "step_output_equals": {
      const step = scope.step(condition.step);
      return step !== undefined && textOf(step.value).trim() === textOf(condition.value).trim();
    }
    case "step_result_equals": {
      const step = scope.step(condition.step);
      if (step === undefined) return false;
      return isEqual(step.value, condition.value) || isEqual(step.fields, condition.value);
    }
    case "step_output_contains": {
      const step = scope.step(condition.step);
      return step !== undefined && textOf(step.value).includes(condition.text);
    }
    case "agent_classification": {
      const step = scope.step(condition.step);
      return step !== undefined && textOf(step.value).toLowerCase().includes(condition.label.toLowerCase());
    }
    case "and":
      for (const part of condition.conditions) if (!(await holds(part, asked))) return false;
      return true;
    case "or":
      for (const part of condition.conditions) if (await holds(part, asked)) return true;
      return false;
    case "not":
      return !(await holds(condition.condition, asked));
    case "custom":
      return isTrue(evaluate(condition.expression, (name) => lookUp(scope, name)));
    case "function":
      return isTrue(await callFunction(condition.call, asked));
  }
}

/** `$name` is a variable of the loop or shared data. */
function lookUp(scope: Scope, name: string): unknown {
  if (!name.startsWith("$")) return scope.find(name)?.value;
  if (name.startsWith("$step_")) return scope.find(`step.${name.slice(6)}`)?.value;
  return scope.find(name.slice(1))?.value;
}

async function sharedOf({ scope, global }: Asked, key: string): Promise<unknown> {
  const own = scope.shared.get(key) ?? undefined;
  return own === undefined ? ((await global(key)) ?? undefined) : own;
}

async function callFunction(
  fn: Extract<Condition, { type: "function" }>["call"],
  { scope, signal, workflow }: Asked,
): Promise<unknown> {
  const late = new AbortController();
  const limitMs = DEFAULTS.conditionTimeoutMs;
  const timer = setTimeout(
    () =>
      late.abort(
        new SpellError(
          "timeout",
          `Cannot evaluate a condition of workflow "${workflow}": it took over ${limitMs} ms`,
        ),
      ),
    limitMs,
  );
  try {
    return await abortable(fn.call(contextOf(scope)), AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (error instanceof SpellError && error.code !== "script") throw error;
    throw new SpellError(
      "script",
      `Cannot evaluate a condition of workflow "${workflow}": ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** What a condition of the script is told. */
export function contextOf(scope: Scope): ScriptValue {
  const steps = Object.fromEntries(
    [...scope.steps()].map(([name, outcome]) => [
      name,
      {
        success: outcome.status !== "failed",
        status: outcome.status,
        output: outcome.value,
        result: outcome.fields,
        error: outcome.error?.message ?? null,
        duration_ms: outcome.durationMs,
      },
    ]),
  );
  const loop = scope.find("loop.iteration") === undefined ? {} : loopOf(scope);
  return {
    input: isPlainObject(scope.input) ? scope.input : {},
    steps,
    shared_data: { ...scope.shared.all(), ...loop },
    iteration: scope.find("loop.iteration")?.value ?? 0,
    ...loop,
  } as unknown as ScriptValue;
}

const loopOf = (scope: Scope) => ({
  loop_index: scope.find("loop.index")?.value,
  loop_value: scope.find("loop.value")?.value,
});
