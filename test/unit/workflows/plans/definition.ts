/** A plan as scripts write it: tables of every form that our definitions take. */
import { TestFunction } from "../support.ts";
import type { Lane, Loop, Plan, Question, Step } from "./plan.ts";

type Table = Record<string, unknown>;

export function definitionOf(plan: Plan): Table {
  const common = { name: plan.name, error_strategy: plan.strategy, retry_delay_ms: 0 };
  switch (plan.kind) {
    case "line":
      return { ...common, type: "sequential", steps: plan.steps.map(stepOf) };
    case "beside":
      return {
        ...common,
        type: "parallel",
        branches: plan.lanes.map((lane) => ({ ...laneOf(lane), optional: lane.optional })),
        max_concurrency: plan.most,
        fail_fast: plan.failFast,
        merge_strategy: plan.merge,
      };
    case "choice":
      return {
        ...common,
        type: "conditional",
        steps: plan.first.map(stepOf),
        branches: plan.lanes.map((lane) => ({ ...laneOf(lane), condition: conditionOf(lane.question) })),
        ...(plan.otherwise === undefined ? {} : { default_branch: laneOf(plan.otherwise) }),
        execute_all_matching: plan.all,
      };
    case "loop":
      return { ...common, type: "loop", ...loopOf(plan) };
  }
}

const laneOf = ({ name, steps }: Lane): Table => ({ name, steps: steps.map(stepOf) });

function loopOf({ over, passes, cap, body, breakAt, goesOn, gives }: Loop): Table {
  const iterator =
    over.kind === "range"
      ? { range: { start: over.start, end: over.end, step: over.step } }
      : over.kind === "list"
        ? { collection: over.items }
        : { while_condition: `$iteration < ${over.passes}` };
  return {
    iterator: cap === undefined ? iterator : { ...iterator, max_iterations: cap },
    ...(passes === undefined ? {} : { loop_condition: asked((ctx) => Number(ctx.iteration) < passes) }),
    body: body.map(stepOf),
    break_conditions:
      breakAt === undefined
        ? []
        : [breakAt % 2 === 0 ? `$loop_index == ${breakAt}` : asked((ctx) => ctx.loop_index === breakAt)],
    continue_on_error: goesOn,
    aggregation: gives.kind,
    ...("count" in gives ? { aggregation_count: gives.count } : {}),
  };
}

function stepOf(step: Step): Table {
  const { name, optional, retries, question } = step;
  const rules = {
    name,
    ...(optional ? (name.length % 2 === 0 ? { on_error: "skip" } : { continue_on_error: true }) : {}),
    ...(retries === undefined
      ? {}
      : retries === 2 && !optional
        ? { on_error: "retry" }
        : { retry_count: retries }),
    ...(question === undefined ? {} : { condition: conditionOf(question) }),
  };
  if (step.kind === "nested")
    return { ...rules, type: "workflow", workflow: definitionOf(step.plan), input: { n: step.n } };
  const from = step.from === undefined ? {} : { from: `<{{step.${step.from}.output}}>` };
  return { ...rules, type: "tool", tool: "call", input: { id: step.id, ...from } };
}

function conditionOf(question: Question): unknown {
  switch (question.kind) {
    case "constant":
      return question.holds ? { type: "always" } : false;
    case "input":
      return question.form === "text"
        ? `input.n >= ${question.least}`
        : asked(({ input }) => Number((input as Table).n) >= question.least);
    case "not":
      return { type: "not", condition: conditionOf(question.of) };
    case "and":
    case "or":
      return { type: question.kind, conditions: question.parts.map(conditionOf) };
    default:
      return aboutStep(question);
  }
}

function aboutStep({ kind, step, form }: Extract<Question, { step: string }>): unknown {
  const told = (ctx: Table) => (ctx.steps as Record<string, { status: string; output: unknown }>)[step]!;
  switch (kind) {
    case "succeeded":
      if (form === "table") return { type: "step_succeeded", step };
      if (form === "text") return `step.${step}.success and not step.${step}.skipped`;
      return asked((ctx) => told(ctx).status === "completed");
    case "failed":
      if (form === "table") return { type: "step_failed", step };
      return form === "text" ? `step.${step}.failed` : asked((ctx) => told(ctx).status === "failed");
    case "says":
      if (form === "table") return { type: "step_output_contains", step, text: ".0" };
      if (form === "text") return `step.${step}.output contains '.0'`;
      return asked((ctx) => String(told(ctx).output).includes(".0"));
  }
}

const asked = (body: (ctx: Table) => unknown) => new TestFunction(body);
