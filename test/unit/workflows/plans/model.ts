/**
 * What a plan must do and give, by docs/workflows.md: one thing after another, without promises, limits or our code. Which
 * calls may run beside which is told apart from what they give.
 */
import type { Beside, Call, Choice, Loop, Plan, Question, Step } from "./plan.ts";

/** Calls that were made: one after another, or side by side. */
export type Trace = { call: string } | { inOrder: Trace[] } | { beside: Trace[]; most: number };

interface Done {
  name: string;
  status: "completed" | "failed" | "skipped";
  value: unknown;
  retries: number;
}

export interface Outcome {
  /** The step whose failure is raised. */
  raisedBy: string | undefined;
  success: boolean;
  status: "completed" | "partially_completed" | "failed";
  output: unknown;
  counts: Record<string, unknown>;
  steps: Done[];
  trace: Trace;
}

/** What a step finds: by name, whatever has ended. */
type Found = Map<string, Done>;

interface Ran {
  done: Done[];
  stoppedBy: Done | undefined;
  traces: Trace[];
}

export class Model {
  /** Calls of each id so far. */
  private readonly counts = new Map<string, number>();

  /** @param isSteady each call of an id is like the first one: it fails always or never, and gives the same */
  constructor(private readonly isSteady = false) {}

  run(plan: Plan, n: number): Outcome {
    switch (plan.kind) {
      case "line": {
        const ran = this.line(plan.steps, plan.strategy, new Map(), n);
        const count = (status: Done["status"]) => ran.done.filter((one) => one.status === status).length;
        return outcomeOf(ran, lastOf(ran.done), {
          total_steps: plan.steps.length,
          successful_steps: count("completed"),
          failed_steps: count("failed"),
        });
      }
      case "beside":
        return this.beside(plan, n);
      case "choice":
        return this.choice(plan, n);
      case "loop":
        return this.loop(plan, n);
    }
  }

  private line(steps: readonly Step[], strategy: Plan["strategy"], found: Found, n: number): Ran {
    const ran: Ran = { done: [], stoppedBy: undefined, traces: [] };
    for (const step of steps) {
      const done = this.step(step, strategy, found, n, ran.traces);
      found.set(step.name, done);
      ran.done.push(done);
      if (done.status !== "failed" || step.optional || strategy === "continue") continue;
      ran.stoppedBy = done;
      return ran;
    }
    return ran;
  }

  private step(step: Step, strategy: Plan["strategy"], found: Found, n: number, traces: Trace[]): Done {
    const { name, question } = step;
    if (question !== undefined && !holds(question, found, n))
      return { name, status: "skipped", value: null, retries: 0 };
    const most = step.retries ?? (strategy === "retry" ? 2 : 0);
    for (let retries = 0; ; retries++) {
      const value = step.kind === "call" ? this.call(step, found, traces) : this.nested(step, traces);
      if (value !== FAILED) return { name, status: "completed", value, retries };
      if (retries === most) return { name, status: "failed", value: null, retries };
    }
  }

  private call({ id, fails, from }: Call, found: Found, traces: Trace[]): unknown {
    const number = this.counts.get(id) ?? 0;
    this.counts.set(id, number + 1);
    traces.push({ call: `${id}.${number}` });
    if (this.isSteady ? fails.size > 0 : fails.has(number)) return FAILED;
    const given = `${id}.${this.isSteady ? 0 : number}`;
    return from === undefined ? given : `${given}<${written(found.get(from)!.value)}>`;
  }

  /** One that passed failures over fails as a step. */
  private nested({ plan, n }: Extract<Step, { kind: "nested" }>, traces: Trace[]): unknown {
    const { success, output, trace } = this.run(plan, n);
    traces.push(trace);
    return success ? output : FAILED;
  }

  private beside(plan: Beside, n: number): Outcome {
    const ran: { lane: Beside["lanes"][number]; line: Ran }[] = [];
    for (const lane of plan.lanes) {
      const line = this.line(lane.steps, plan.strategy, new Map(), n);
      ran.push({ lane, line });
      if (plan.failFast && line.stoppedBy !== undefined && !lane.optional) break;
    }
    const isWhole = ({ line }: (typeof ran)[number]) => line.done.every(({ status }) => status !== "failed");
    const whole = ran.filter(isWhole);
    const given = whole.map(({ lane, line }) => [lane.name, lastOf(line.done)] as const);
    const counted = ran.filter(({ lane }) => !lane.optional);
    const sum: Ran = {
      done: ran.flatMap(({ line }) => line.done),
      stoppedBy: counted.find(({ line }) => line.stoppedBy !== undefined)?.line.stoppedBy,
      traces: [{ beside: ran.map(({ line }) => ({ inOrder: line.traces })), most: plan.most }],
    };
    const output = {
      map: () => Object.fromEntries(given),
      array: () => given.map(([, value]) => value),
      concat: () => given.map(([, value]) => written(value)).join("\n"),
      first: () => given[0]?.[1] ?? null,
    }[plan.merge]();
    const counts = {
      total_branches: plan.lanes.length,
      successful_branches: whole.length,
      failed_branches: ran.length - whole.length,
    };
    // failures of optional branches are none of the workflow's
    const mattering = counted.flatMap(({ line }) => line.done);
    return outcomeOf(sum, output, counts, mattering);
  }

  private choice({ first, lanes, otherwise, all, strategy }: Choice, n: number): Outcome {
    const found: Found = new Map();
    const ran = this.line(first, strategy, found, n);
    let executed = 0;
    let matched: { steps: Step[] }[] = [];
    if (ran.stoppedBy === undefined) {
      matched = lanes.filter(({ question }) => holds(question, found, n));
      if (!all) matched = matched.slice(0, 1);
      const chosen = matched.length > 0 ? matched : otherwise === undefined ? [] : [otherwise];
      for (const { steps } of chosen) {
        const line = this.line(steps, strategy, found, n);
        executed++;
        ran.done.push(...line.done);
        ran.traces.push(...line.traces);
        ran.stoppedBy = line.stoppedBy;
        if (ran.stoppedBy !== undefined) break;
      }
    }
    return outcomeOf(ran, lastOf(ran.done), {
      total_branches: lanes.length + (otherwise === undefined ? 0 : 1),
      matched_branches: matched.length,
      executed_branches: executed,
      total_steps: ran.done.length,
    });
  }

  private loop(plan: Loop, n: number): Outcome {
    const { over, passes, cap, body, breakAt, goesOn, strategy } = plan;
    const size = sizeOf(over);
    const found: Found = new Map();
    const ran: Ran = { done: [], stoppedBy: undefined, traces: [] };
    const values: unknown[] = [];
    let reason: string | null = null;
    let index = 0;
    while (reason === null) {
      if (over.kind !== "while" && index >= size) break;
      if (cap !== undefined && index >= cap) reason = "max_iterations";
      else if (over.kind === "while" && index >= size) reason = "condition_false";
      else if (passes !== undefined && index >= passes) reason = "loop_condition";
      if (reason !== null) break;
      const line = this.line(body, strategy, found, n);
      ran.done.push(...line.done);
      ran.traces.push(...line.traces);
      if (line.stoppedBy === undefined) values.push(lastOf(line.done));
      else if (!goesOn) {
        ran.stoppedBy = line.stoppedBy;
        reason = "error";
      }
      if (reason === null && breakAt === index) reason = "break_condition";
      index++;
    }
    return outcomeOf(ran, aggregated(plan, values), {
      total_iterations: index,
      completed_iterations: values.length,
      break_reason: reason,
    });
  }
}

const FAILED = Symbol("failed");

function sizeOf(over: Loop["over"]): number {
  if (over.kind === "list") return over.items.length;
  if (over.kind === "while") return over.passes;
  let size = 0;
  for (let at = over.start; over.step > 0 ? at < over.end : at > over.end; at += over.step) size++;
  return size;
}

function aggregated({ gives }: Loop, values: unknown[]): unknown {
  switch (gives.kind) {
    case "collect_all":
      return values;
    case "last_only":
      return values.length === 0 ? null : values[values.length - 1];
    case "none":
      return null;
    case "first_n":
      return values.filter((_, i) => i < gives.count);
    case "last_n":
      return values.filter((_, i) => i >= values.length - gives.count);
  }
}

/** @param mattering steps whose failures are the workflow's */
function outcomeOf(
  { done, stoppedBy, traces }: Ran,
  output: unknown,
  counts: Record<string, unknown>,
  mattering = done,
): Outcome {
  const success = stoppedBy === undefined && mattering.every(({ status }) => status !== "failed");
  const someDone = done.some(({ status }) => status === "completed");
  return {
    raisedBy: stoppedBy?.name,
    success,
    status: success ? "completed" : someDone ? "partially_completed" : "failed",
    output,
    counts,
    steps: done,
    trace: { inOrder: traces },
  };
}

function lastOf(done: readonly Done[]): unknown {
  const completed = done.filter(({ status }) => status === "completed");
  return completed.length === 0 ? null : completed[completed.length - 1]!.value;
}

/** As a text within another. */
function written(value: unknown): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function holds(question: Question, found: Found, n: number): boolean {
  switch (question.kind) {
    case "constant":
      return question.holds;
    case "input":
      return n >= question.least;
    case "not":
      return !holds(question.of, found, n);
    case "and":
      return question.parts.every((part) => holds(part, found, n));
    case "or":
      return question.parts.some((part) => holds(part, found, n));
    default: {
      const { status, value } = found.get(question.step)!;
      if (question.kind === "succeeded") return status === "completed";
      if (question.kind === "failed") return status === "failed";
      // a table's condition looks into what is written of the output, an expression into a text
      if (question.form === "table") return written(value).includes(".0");
      if (question.form === "function") return String(value).includes(".0");
      return typeof value === "string" && value.includes(".0");
    }
  }
}
