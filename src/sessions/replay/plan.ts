/** What a replay does with each step: decided before the first one. */
import { isPlainObject } from "../../core/values.ts";
import { modify } from "./modify.ts";
import { type Input, type RerunServices, WAYS } from "./rerun.ts";
import { RERUN_KINDS, type RecordedStep, type ReplayOptions, type RerunKind } from "./service.ts";
import { isWhole } from "./steps.ts";

export interface PlannedStep {
  readonly step: RecordedStep;
  readonly input: unknown;
  /** Paths of the modifications that its input has. */
  readonly applied: string[];
  /** `run`: by itself. `within`: as part of `root`, which runs by itself. */
  how: "run" | "within" | "recorded";
  root?: PlannedStep;
  /** Why it is told from the recording though it was to run. */
  reason?: string;
  /** Why it cannot be replayed. */
  failure?: string;
}

type Choices = Pick<ReplayOptions, "mode" | "run" | "modifications">;

/** @throws SpellError invalid_argument for a modification's path */
export async function planSteps(
  steps: readonly RecordedStep[],
  choices: Choices,
  services: RerunServices,
): Promise<PlannedStep[]> {
  const planned: PlannedStep[] = [];
  for (const step of steps) planned.push(await planStep(step, choices, services));
  const byId = new Map(planned.map((one) => [one.step.id, one]));
  for (const one of planned) {
    if (one.applied.length > 0) continue;
    const root = rootOf(one, byId);
    if (root !== undefined) Object.assign(one, { how: "within", root, reason: undefined });
  }
  return planned;
}

/** The outermost step that runs again and within which this one ran. */
function rootOf(one: PlannedStep, byId: ReadonlyMap<string, PlannedStep>): PlannedStep | undefined {
  let root: PlannedStep | undefined;
  const seen = new Set([one.step.id]);
  for (let { within } = one.step; within !== null && !seen.has(within); ) {
    seen.add(within);
    const outer = byId.get(within);
    if (outer === undefined) break;
    if (outer.how === "run") root = outer;
    within = outer.step.within;
  }
  return root;
}

async function planStep(
  step: RecordedStep,
  { mode = "exact", run = [], modifications = [] }: Choices,
  services: RerunServices,
): Promise<PlannedStep> {
  const told: PlannedStep = { step, input: step.input, applied: [], how: "recorded" };
  if (mode === "simulate") return told;
  const { input, applied } = mode === "modified" ? modify(step, modifications) : told;
  const planned: PlannedStep = { step, input, applied, how: "recorded" };
  const isModified = applied.length > 0;
  const { kind, name } = step;
  if (!canRunAgain(kind)) {
    if (isModified)
      planned.failure = `Cannot replay ${kind} ${name} with another input: only ${RERUN_KINDS.join("s, ")}s run again`;
    return planned;
  }
  const whole = isPlainObject(input) && isWhole(input) ? input : undefined;
  const isPure = kind === "tool" && whole !== undefined && (await isPureCall(services, name, whole));
  if (!isModified && !isPure && !run.includes(kind)) return planned;
  if (whole === undefined) {
    const problem = `Cannot run ${kind} ${name} again: its recorded input is not whole`;
    return { ...planned, ...(isModified ? { failure: problem } : { reason: problem }) };
  }
  const missing = isModified ? undefined : await WAYS[kind].missing(services, step, whole);
  if (missing !== undefined) return { ...planned, reason: `Cannot run ${kind} ${name} again: ${missing}` };
  return { ...planned, how: "run" };
}

const canRunAgain = (kind: RecordedStep["kind"]): kind is RerunKind =>
  (RERUN_KINDS as readonly string[]).includes(kind);

async function isPureCall({ tools }: RerunServices, name: string, input: Input): Promise<boolean> {
  return (await tools()).find(name)?.isPure?.(input) === true;
}
