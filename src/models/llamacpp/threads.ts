import { processors } from "../../core/processors.ts";

/** Below this, threads wait for each other longer than they compute, and on a busy machine for whole time slices. */
const SMALL_MODEL_PARAMETERS = 30_000_000;

/** Threads for a model: one for a small one, else `computeThreads`. */
export function threadsFor(parameterCount: number): number {
  return parameterCount < SMALL_MODEL_PARAMETERS ? 1 : computeThreads();
}

/**
 * One for each fast physical core this process may use. A second thread on one core, and a slow core among fast ones,
 * only make llama.cpp slower (its own programs count the same way).
 */
export function computeThreads(): number {
  return processors().threads;
}
