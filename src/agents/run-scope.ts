/** Which run a nested call belongs to, where an interface between (a tool's) does not carry it. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { RunContext } from "../kernel/services.ts";

const scope = new AsyncLocalStorage<RunContext>();

export const withRun = <T>(run: RunContext, body: () => T): T => scope.run(run, body);

/** The run of the agent's turn within which this code runs. */
export const currentRun = (): RunContext | undefined => scope.getStore();

/** `run` with a signal of its own, which must be aborted whenever `run.signal` is. */
export function runWithSignal(run: RunContext, signal: AbortSignal): RunContext {
  return {
    id: run.id,
    scriptName: run.scriptName,
    args: run.args,
    script: run.script,
    resume: run.resume,
    signal,
    emit: (event) => run.emit(event),
    ask: (question) => run.ask?.(question),
    vm: run.vm,
    blockedTasks: () => run.blockedTasks(),
  };
}
