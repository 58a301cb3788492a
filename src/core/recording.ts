/** The seam through which work is recorded for a later replay (spec/kernel.md section 16). Off, it costs a call. */

export type RecordedKind = "tool" | "model" | "agent" | "hook" | "state";

export interface RecordedCall {
  kind: RecordedKind;
  /** Of the tool, agent, hook or key; `provider/model`. */
  name: string;
  input: unknown;
  /** Null where it failed. */
  output: unknown;
  /** Text of the failure. */
  error?: string;
  /** Milliseconds since the epoch. */
  startedMs: number;
  durationMs: number;
  correlationId?: string;
}

export interface Recorder {
  /** Copies what it is given at once; never throws. */
  record(call: RecordedCall): void;
}

/** Undefined while nothing is recorded. */
export type RecorderSource = () => Promise<Recorder | undefined> | undefined;

/** Runs the work and records it with its outcome. @param outputOf what is kept of the result */
export function recorded<T>(
  source: RecorderSource | undefined,
  call: Pick<RecordedCall, "kind" | "name" | "input" | "correlationId">,
  work: () => Promise<T>,
  outputOf: (result: T) => unknown,
): Promise<T> {
  const found = source?.();
  return found === undefined ? work() : record(found, call, work, outputOf);
}

async function record<T>(
  found: Promise<Recorder | undefined>,
  call: Pick<RecordedCall, "kind" | "name" | "input" | "correlationId">,
  work: () => Promise<T>,
  outputOf: (result: T) => unknown,
): Promise<T> {
  const recorder = await found;
  if (recorder === undefined) return work();
  const startedMs = Date.now();
  const start = performance.now();
  const end = () => ({ ...call, startedMs, durationMs: performance.now() - start });
  try {
    const result = await work();
    recorder.record({ ...end(), output: outputOf(result) });
    return result;
  } catch (error) {
    recorder.record({
      ...end(),
      output: null,
      error: error instanceof Error ? error.message : String(error),
    });
    throw error;
  }
}
