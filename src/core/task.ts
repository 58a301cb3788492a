import { AsyncLocalStorage } from "node:async_hooks";
import { SpellError } from "./errors.ts";

/** Something that runs and may hold a lock: an agent's turn, a workflow run. */
export interface Task {
  readonly label: string;
}

const chain = new AsyncLocalStorage<readonly Task[]>();

/** The tasks within which this code runs, outermost first. A script callback inherits the chain of whoever calls it. */
export function currentTasks(): readonly Task[] {
  return chain.getStore() ?? [];
}

export function runAsTask<T>(label: string, body: (task: Task) => Promise<T>): Promise<T> {
  const task: Task = { label };
  return chain.run([...currentTasks(), task], () => body(task));
}

/** Runs `body` as if it had been called within `tasks`: used where a call re-enters the kernel from a script thread. */
export function withTasks<T>(tasks: readonly Task[], body: () => T): T {
  return chain.run(tasks, body);
}

/**
 * A lock that a task holds and others wait for in order. A wait that cannot end, because the holder itself waits for the
 * one who asks, is refused with `deadlock` instead of hanging.
 */
export class TaskLock {
  private holder: Task | undefined;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly what: string) {}

  /** @param blocked the tasks that cannot end before the caller returns (`RunContext.blockedTasks`). */
  async acquire(task: Task, blocked: ReadonlySet<Task>, signal?: AbortSignal): Promise<() => void> {
    while (this.holder !== undefined) {
      const holder = this.holder;
      if (currentTasks().includes(holder) || blocked.has(holder)) {
        throw new SpellError("deadlock", `Cannot run ${this.what}: it waits for the call that asks for it`, {
          data: { holder: holder.label },
          hint: "Let the tool answer without calling an agent that is still waiting for it",
        });
      }
      await this.freed(signal);
    }
    this.holder = task;
    return () => {
      this.holder = undefined;
      this.waiting.shift()?.();
    };
  }

  private freed(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.waiting.splice(this.waiting.indexOf(wake), 1);
        reject(signal?.reason ?? new SpellError("interrupted", "Interrupted"));
      };

      signal?.addEventListener("abort", abort, { once: true });
      this.waiting.push(wake);
    });
  }
}
