/** Which request the running code works for, whatever it waits for in between: log lines say it. */
import { AsyncLocalStorage } from "node:async_hooks";

const correlation = new AsyncLocalStorage<string>();

/** Runs the work, and all it starts, under this correlation id. */
export function correlated<T>(id: string, work: () => T): T {
  return correlation.run(id, work);
}

export function currentCorrelation(): string | undefined {
  return correlation.getStore();
}
