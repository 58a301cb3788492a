import type { Task } from "../../core/task.ts";

/** What an abandoned callback waits for ends first; it may end by itself then. */
const GRACE_MS = 250;

/** Callbacks for which nobody waits any more: those that do not end by themselves are to be stopped. */
export class Abandoned {
  private readonly watched = new Map<number, () => void>();
  /** In order of arrival. */
  private readonly overdue = new Set<number>();

  /** @param stop told the callback that is to be stopped now; 0 for none any more */
  constructor(private readonly stop: (callback: number) => void) {}

  /** To be called when a callback begins on behalf of `tasks`. */
  watch(id: number, tasks: readonly Task[]): void {
    const signals = tasks.flatMap(({ signal }) => signal ?? []);
    if (signals.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const abandon = () => {
      timer ??= setTimeout(() => this.add(id), GRACE_MS);
    };
    this.watched.set(id, () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", abandon);
    });
    for (const signal of signals) {
      signal.addEventListener("abort", abandon, { once: true });
      if (signal.aborted) abandon();
    }
  }

  /** To be called when it has ended. */
  ended(id: number): void {
    this.watched.get(id)?.();
    this.watched.delete(id);
    if (this.overdue.delete(id)) this.stop(this.first());
  }

  private add(id: number): void {
    this.overdue.add(id);
    this.stop(this.first());
  }

  private first(): number {
    const [first = 0] = this.overdue;
    return first;
  }
}
