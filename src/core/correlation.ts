/** Which request the running code works for, whatever it waits for in between: log lines say it. */
import type { AsyncLocalStorage } from "node:async_hooks";

let store: AsyncLocalStorage<string> | undefined;

/** From now on log lines say it. A command that runs one thing and ends is not made to wait for this. */
export async function followCorrelation(): Promise<void> {
  const { AsyncLocalStorage } = await import("node:async_hooks");
  store ??= new AsyncLocalStorage();
}

/** Runs the work, and all it starts, under this correlation id. */
export function correlated<T>(id: string, work: () => T): T {
  return store === undefined ? work() : store.run(id, work);
}

export function currentCorrelation(): string | undefined {
  return store?.getStore();
}
