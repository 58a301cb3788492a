/** One recorded step done again, or told from the recording. */
import { randomUUID } from "node:crypto";
import { compareJson } from "../../core/compare-json.ts";
import { messageOf } from "../../core/errors.ts";
import { isPlainObject } from "../../core/values.ts";
import { toolOutput } from "../../tools/recorded.ts";
import type { ToolService } from "../../tools/service.ts";
import { time } from "../rows.ts";
import { modify } from "./modify.ts";
import type { Modification, RecordedStep, ReplayedStep, ReplayMode } from "./service.ts";
import { isWhole } from "./steps.ts";

export interface StepRun {
  mode: ReplayMode;
  compare: boolean;
  modifications: readonly Modification[];
  tools: () => Promise<ToolService>;
  /** Of what runs again. */
  correlationId: string;
  signal: AbortSignal;
}

interface Outcome {
  source: ReplayedStep["source"];
  output: unknown;
  error: string | null;
  /** Why the step could not be replayed. */
  failure?: string;
}

export async function replayStep(step: RecordedStep, run: StepRun): Promise<ReplayedStep> {
  const startedMs = Date.now();
  const start = performance.now();
  const { input, applied } =
    run.mode === "modified" ? modify(step, run.modifications) : { input: step.input, applied: [] };
  const outcome = await outcomeOf(step, input, applied.length > 0, run);
  const replayed: ReplayedStep = {
    step: step.step,
    replay_id: randomUUID(),
    original_execution_id: step.id,
    kind: step.kind,
    hook_name: step.name,
    start_time: time(startedMs),
    duration: (performance.now() - start) / 1000,
    source: outcome.source,
    success: outcome.failure === undefined,
    error: outcome.failure ?? outcome.error,
    applied_modifications: applied,
  };
  if (run.compare && outcome.failure === undefined)
    replayed.comparison = compareJson(
      { output: step.output, error: step.error },
      { output: outcome.output, error: outcome.error },
    );
  if (run.mode === "debug") Object.assign(replayed, { input, output: outcome.output });
  return replayed;
}

/**
 * Pure tools run again; in modified mode any tool does whose input was changed, under the permissions that hold now. All
 * else is told from the recording.
 */
async function outcomeOf(
  step: RecordedStep,
  input: unknown,
  isModified: boolean,
  run: StepRun,
): Promise<Outcome> {
  const recorded: Outcome = { source: "recorded", output: step.output, error: step.error };
  if (run.mode === "simulate") return recorded;
  if (step.kind !== "tool")
    return isModified
      ? {
          ...recorded,
          failure: `Cannot replay ${step.kind} ${step.name} with another input: only tools run again`,
        }
      : recorded;
  const tools = await run.tools();
  const tool = tools.find(step.name);
  const canRun = isPlainObject(input) && isWhole(input);
  const isPure = tool !== undefined && canRun && tool.isPure?.(input) === true;
  if (!isPure && !isModified) return recorded;
  if (!canRun)
    return { ...recorded, failure: `Cannot run tool ${step.name} again: its recorded input is not whole` };
  try {
    const result = await tools.execute(step.name, input, {
      signal: run.signal,
      correlationId: run.correlationId,
      unrecorded: true,
    });
    return { source: "run", output: toolOutput(result), error: null };
  } catch (error) {
    run.signal.throwIfAborted();
    const message = messageOf(error);
    const outcome: Outcome = { source: "run", output: null, error: message };
    // a step that failed then may fail now
    return step.error === null ? { ...outcome, failure: message } : outcome;
  }
}
