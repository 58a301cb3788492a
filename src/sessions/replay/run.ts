/** Recorded steps done again, or told from the recording. */
import { randomUUID } from "node:crypto";
import { compareJson } from "../../core/compare-json.ts";
import { messageOf } from "../../core/errors.ts";
import { asRerun, currentCall, type RecordedCall } from "../../core/recording.ts";
import { time } from "../rows.ts";
import type { PlannedStep } from "./plan.ts";
import { asRecorded } from "./recorder.ts";
import { type Input, type RerunServices, WAYS } from "./rerun.ts";
import type { RecordedStep, ReplayedStep, ReplayOptions, RerunKind } from "./service.ts";

export interface StepsRun {
  options: Pick<ReplayOptions, "mode" | "run" | "compareResults">;
  services: RerunServices;
  /** Of what runs again. */
  correlationId: string;
  signal: AbortSignal;
}

interface Outcome {
  output: unknown;
  error: string | null;
  /** Why the step could not be replayed. */
  failure?: string;
  /** What was called within it, for the steps that were then. */
  calls?: Calls;
}

export class StepsReplay {
  private readonly outcomes = new Map<PlannedStep, Promise<Outcome>>();

  constructor(
    private readonly planned: readonly PlannedStep[],
    private readonly run: StepsRun,
  ) {}

  async replay(one: PlannedStep): Promise<ReplayedStep> {
    const { step, applied } = one;
    const { mode = "exact", compareResults = true } = this.run.options;
    const startedMs = Date.now();
    const start = performance.now();
    const outcome = await this.outcomeOf(one);
    const { failure, output, error } = outcome;
    const added = outcome.calls?.left() ?? [];
    const replayed: ReplayedStep = {
      step: step.step,
      replay_id: randomUUID(),
      original_execution_id: step.id,
      kind: step.kind,
      hook_name: step.name,
      start_time: time(startedMs),
      duration: (performance.now() - start) / 1000,
      source: one.how === "recorded" ? "recorded" : "run",
      ...(one.root === undefined ? {} : { within: one.root.step.step }),
      ...(one.reason === undefined ? {} : { reason: one.reason }),
      ...(added.length === 0 ? {} : { added }),
      success: failure === undefined,
      error: failure ?? error,
      applied_modifications: applied,
    };
    if (compareResults && failure === undefined)
      replayed.comparison = compareJson(
        { output: comparable(step, step.output), error: step.error },
        { output: comparable(step, output), error },
      );
    if (mode === "debug") Object.assign(replayed, { input: one.input, output });
    return replayed;
  }

  private async outcomeOf(one: PlannedStep): Promise<Outcome> {
    const { output, error } = one.step;
    if (one.failure !== undefined) return { output, error, failure: one.failure };
    switch (one.how) {
      case "recorded":
        return { output, error };
      case "run":
        return this.runOnce(one);
      case "within": {
        const { calls } = await this.runOnce(one.root!);
        return calls!.of(one) ?? { ...failed(one.step, "it was not called again"), output: null };
      }
    }
  }

  /** A step within it may come first, and has it run. */
  private runOnce(one: PlannedStep): Promise<Outcome> {
    const known = this.outcomes.get(one);
    if (known !== undefined) return known;
    const outcome = this.runNow(one);
    this.outcomes.set(one, outcome);
    return outcome;
  }

  private async runNow(one: PlannedStep): Promise<Outcome> {
    const { services, correlationId, signal, options } = this.run;
    const { step } = one;
    const made: RecordedCall[] = [];
    const outer = currentCall();
    const rerun = { calls: made, isWithoutHooks: options.run?.includes("hook") === true };
    const input = one.input as Input;
    const run = () => WAYS[step.kind as RerunKind].run(services, step, input, { correlationId, signal });
    const ended = (): Calls =>
      new Calls(
        within(step, made, outer),
        this.planned.filter(({ root }) => root === one),
      );
    try {
      const output = asRecorded(await asRerun(rerun, run, signal));
      return { output, error: null, calls: ended() };
    } catch (error) {
      signal.throwIfAborted();
      return { ...failed(step, messageOf(error)), calls: ended() };
    }
  }
}

/** A step that failed then may fail now. */
function failed(step: RecordedStep, message: string): Outcome {
  const outcome: Outcome = { output: null, error: message };
  return step.error === null ? { ...outcome, failure: message } : outcome;
}

/** What was called within the step's own call, in the order in which it ended. */
function within(
  { kind, name }: RecordedStep,
  made: readonly RecordedCall[],
  outer: string | undefined,
): RecordedCall[] {
  const own = made.findLast((call) => call.kind === kind && call.name === name && call.within === outer);
  const inner = new Set([own?.id]);
  // what is within another call ends before it
  return made
    .toReversed()
    .filter((call) => call.within !== undefined && inner.has(call.within) && inner.add(call.id))
    .toReversed();
}

/** What was called within a step that ran again, beside what was then: the first of a kind and name is the first then. */
class Calls {
  private readonly found = new Map<PlannedStep, RecordedCall>();
  private readonly rest: RecordedCall[];

  constructor(made: readonly RecordedCall[], then: readonly PlannedStep[]) {
    this.rest = [...made];
    for (const one of then) {
      const { kind, name } = one.step;
      const at = this.rest.findIndex((call) => call.kind === kind && call.name === name);
      if (at !== -1) this.found.set(one, this.rest.splice(at, 1)[0]!);
    }
  }

  of(one: PlannedStep): Outcome | undefined {
    const call = this.found.get(one);
    if (call === undefined) return undefined;
    if (call.error !== undefined) return failed(one.step, call.error);
    return { output: asRecorded(call.output), error: null };
  }

  left(): string[] {
    return this.rest.map(({ kind, name }) => `${kind} ${name}`);
  }
}

/** What a model's answer took is not what it said: a cache or a price may have changed. */
function comparable({ kind }: RecordedStep, output: unknown): unknown {
  if ((kind !== "model" && kind !== "agent") || typeof output !== "object" || output === null) return output;
  const { usage: _, ...said } = output as { usage?: unknown };
  return said;
}
