/** The seam through which work is recorded for a later replay (spec/kernel.md section 16). Off, it costs a call. */
import { randomUUID } from "node:crypto";
import { messageOf } from "./errors.ts";
import { currentTasks, runAsTask, type Task } from "./task.ts";

export const RECORDED_KINDS = ["tool", "model", "agent", "hook", "event", "state"] as const;
export type RecordedKind = (typeof RECORDED_KINDS)[number];

export interface RecordedCall {
  /** Default: a new one. */
  id?: string;
  /** The recorded call within which it was made. */
  within?: string | undefined;
  kind: RecordedKind;
  /** Of the tool, agent, hook, key or event; `provider/model`. */
  name: string;
  input: unknown;
  /** Null where it failed. */
  output: unknown;
  /** Text of the failure. */
  error?: string;
  /** Milliseconds since the epoch. */
  startedMs: number;
  durationMs: number;
  correlationId?: string | undefined;
}

export interface Recorder {
  /** Copies what it is given at once; never throws. */
  record(call: RecordedCall): void;
}

/** Undefined while nothing is recorded. */
export type RecorderSource = () => Promise<Recorder | undefined> | undefined;

type Call = Pick<RecordedCall, "kind" | "name" | "input" | "correlationId">;

/** Runs the work and records it with its outcome. @param outputOf what is kept of the result */
export function recorded<T>(
  source: RecorderSource | undefined,
  call: Call,
  work: () => Promise<T>,
  outputOf: (result: T) => unknown,
): Promise<T> {
  const found = source?.();
  return found === undefined ? work() : record(found, call, work, outputOf);
}

/** The recorded call that a task makes. */
const calls = new WeakMap<Task, string>();

async function record<T>(
  found: Promise<Recorder | undefined>,
  call: Call,
  work: () => Promise<T>,
  outputOf: (result: T) => unknown,
): Promise<T> {
  const recorder = await found;
  if (recorder === undefined) return work();
  const id = randomUUID();
  const within = currentCall();
  const startedMs = Date.now();
  const start = performance.now();
  const end = () => ({ ...call, id, within, startedMs, durationMs: performance.now() - start });
  try {
    const result = await runAsTask("", (task) => {
      calls.set(task, id);
      return work();
    });
    recorder.record({ ...end(), output: outputOf(result) });
    return result;
  } catch (error) {
    recorder.record({ ...end(), output: null, error: messageOf(error) });
    throw error;
  }
}

/** Id of the recorded call within which this code runs. */
export const currentCall = (): string | undefined => found(calls);

/** A recorded call that is made once more: what is called within it is not recorded, but gathered here. */
export interface Rerun {
  readonly calls: RecordedCall[];
  /** Hooks are made to run once more by themselves: they do not fire within it. */
  readonly isWithoutHooks: boolean;
}

const reruns = new WeakMap<Task, Rerun>();

export function asRerun<T>(rerun: Rerun, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return runAsTask(
    "a replay",
    (task) => {
      reruns.set(task, rerun);
      return work();
    },
    signal,
  );
}

/** Whether this code runs right within a call that is made once more, and hooks of it are made to run by themselves. */
export function areHooksApart(): boolean {
  const task = currentTasks().findLast((one) => calls.has(one) || reruns.has(one));
  return task !== undefined && reruns.get(task)?.isWithoutHooks === true;
}

/** The call that is made once more, within which this code runs. */
export const currentRerun = (): Rerun | undefined => found(reruns);

/** Of the innermost task that has one. */
function found<T>(of: WeakMap<Task, T>): T | undefined {
  return of.get(currentTasks().findLast((task) => of.has(task)) ?? NONE);
}

const NONE: Task = { label: "" };
