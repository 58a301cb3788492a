/** Owns the worker: starts it at the first job, keeps it warm, ends it when a job is given up. */
import { errorFromJson, SpellError } from "../../../core/errors.ts";
import { workerUrl } from "../../../core/worker.ts";
import type { Answer, Job } from "./protocol.ts";

/** jq never gives memory back; after a larger input the next job gets a fresh thread. */
const KEEP_BELOW_CHARACTERS = 4_000_000;

export interface JobLimits {
  timeoutMs: number;
  signal: AbortSignal;
}

let worker: Worker | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs a job after those before it.
 * @throws SpellError of the job; timeout; the signal's reason when it is aborted
 */
export function runJob(job: Job, limits: JobLimits): Promise<unknown> {
  const run = last.then(() => runNow(job, limits));
  last = run.catch(() => undefined); // told to its own caller
  return run;
}

function runNow(job: Job, { timeoutMs, signal }: JobLimits): Promise<unknown> {
  signal.throwIfAborted();
  const thread = warmWorker();
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const giveUp = (reason: unknown) => {
    end(thread);
    reject(reason);
  };
  const abort = () => giveUp(signal.reason);
  const timer = setTimeout(() => giveUp(timeoutError(timeoutMs)), timeoutMs);
  signal.addEventListener("abort", abort, { once: true });
  thread.onmessage = ({ data }: MessageEvent<Answer>) => {
    if ("error" in data) reject(errorFromJson(data.error));
    else resolve(data.value);
  };
  thread.onerror = (event) => {
    giveUp(new SpellError("tool_failed", `Cannot process JSON: the worker stopped: ${event.message}`));
  };
  thread.ref();
  thread.postMessage(job);
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    if (job.input.length > KEEP_BELOW_CHARACTERS) end(thread);
    else thread.unref();
  });
}

function warmWorker(): Worker {
  worker ??= new Worker(workerUrl("src/tools/data/json-processor/worker"));
  return worker;
}

function end(thread: Worker): void {
  thread.terminate();
  if (worker === thread) worker = undefined;
}

function timeoutError(timeoutMs: number): SpellError {
  return new SpellError("timeout", `Cannot process JSON: it took longer than ${timeoutMs} ms`, {
    data: { timeoutMs },
    hint: "Simplify the query or the pattern, or raise tools.data.processing_timeout_seconds",
  });
}
