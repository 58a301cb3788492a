import { AsyncLocalStorage } from "node:async_hooks";
import { SpellError } from "./errors.ts";

/** Something that runs and may hold a lock: an agent's turn, a workflow run. */
export interface Task {
  /** Empty: nobody is told of it. */
  readonly label: string;
  /** Aborted when nobody waits for the task any more: what a script callback of it still asks for must end too. */
  readonly signal?: AbortSignal;
}

const chain = new AsyncLocalStorage<readonly Task[]>();

/** The tasks within which this code runs, outermost first. A script callback inherits the chain of whoever calls it. */
export function currentTasks(): readonly Task[] {
  return chain.getStore() ?? [];
}

export function runAsTask<T>(
  label: string,
  body: (task: Task) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const task: Task = signal === undefined ? { label } : { label, signal };
  return chain.run([...currentTasks(), task], () => body(task));
}

/** `outer`, aborted as well when one of the tasks within which this code runs is given up. */
export function taskSignal(outer: AbortSignal): AbortSignal {
  const tasks = currentTasks();
  if (tasks.length === 0) return outer;
  const signals = tasks.flatMap((task) => task.signal ?? []);
  return signals.length === 0 ? outer : AbortSignal.any([outer, ...signals]);
}

/** Runs `body` as if it had been called within `tasks`: used where a call re-enters the kernel from a script thread. */
export function withTasks<T>(tasks: readonly Task[], body: () => T): T {
  return chain.run(tasks, body);
}

/** A caller that waits for a lock: none of `stuck` can end before it has been served. */
interface Wait {
  lock: TaskLock;
  task: Task;
  stuck: ReadonlySet<Task>;
  wake: () => void;
}

/** Every wait of this process, for finding those that cannot end. */
const waits = new Set<Wait>();

/** Whether `task` can end only after one of `others` has: by the waits it is stuck in, followed to the holders of the locks. */
function endsAfter(task: Task, others: ReadonlySet<Task>): boolean {
  const seen = new Set<Task>();
  const open = [task];
  for (let t = open.pop(); t !== undefined; t = open.pop()) {
    if (others.has(t)) return true;
    if (seen.has(t)) continue;
    seen.add(t);
    for (const wait of waits) if (wait.stuck.has(t)) open.push(wait.lock.heldBy!);
  }
  return false;
}

/**
 * A lock that a task holds and others wait for in order. A wait that cannot end, because the holder itself waits for the
 * one who asks, directly or through others, is refused with `deadlock` instead of hanging.
 */
export class TaskLock {
  private holder: Task | undefined;
  private readonly queue: Wait[] = [];

  constructor(private readonly what: string) {}

  get heldBy(): Task | undefined {
    return this.holder;
  }

  /** @param blocked the tasks that cannot end before the caller returns (`RunContext.blockedTasks`). */
  async acquire(task: Task, blocked: ReadonlySet<Task>, signal?: AbortSignal): Promise<() => void> {
    if (this.holder === undefined) this.holder = task;
    else await this.wait(task, new Set([...currentTasks(), task, ...blocked]), signal);
    return () => this.release();
  }

  private wait(task: Task, stuck: ReadonlySet<Task>, signal?: AbortSignal): Promise<void> {
    const holder = this.holder!;
    if (endsAfter(holder, stuck)) {
      throw new SpellError("deadlock", `Cannot run ${this.what}: it waits for the call that asks for it`, {
        data: { holder: holder.label },
        hint: "Let the tool answer without calling an agent that is still waiting for it",
      });
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        waits.delete(wait);
        signal?.removeEventListener("abort", abort);
      };
      const wake = () => {
        leave();
        resolve();
      };
      const wait: Wait = { lock: this, task, stuck, wake };
      const abort = () => {
        leave();
        this.queue.splice(this.queue.indexOf(wait), 1);
        reject(signal?.reason ?? new SpellError("interrupted", "Interrupted"));
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", abort, { once: true });
      waits.add(wait);
      this.queue.push(wait);
    });
  }

  /** Hands the lock to the first who waits, so that nobody slips in between. */
  private release(): void {
    const next = this.queue.shift();
    this.holder = next?.task;
    next?.wake();
  }
}
