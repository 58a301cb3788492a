/** Lets what was recorded happen in the order in which it happened. */

/**
 * Where nothing has happened for so many ticks, what is still missing will not happen. A tick that comes late does not
 * count: then the process was busy, or the machine.
 */
const PATIENCE_TICKS = 20;
const TICK_MS = 50;
const LATE_MS = 20;

interface Waiting {
  index: number;
  go: () => void;
}

export class Turns {
  /** Those that have passed, or will not come. */
  private readonly passed = new Set<number>();
  private next = 0;
  private readonly waiting: Waiting[] = [];
  private readonly running = new Set<number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Resolves when everything before `index` has passed, or nothing moves any more: a script that has changed may not do
   * all that was recorded.
   */
  until(index: number): Promise<void> {
    return new Promise((go) => {
      this.waiting.push({ index, go });
      this.waiting.sort((a, b) => a.index - b.index);
      this.look();
    });
  }

  /** @param isEnd what follows from it comes before what is next */
  pass(index: number, isEnd = false): void {
    this.running.delete(index);
    this.passed.add(index);
    if (isEnd) setImmediate(() => this.look());
    else this.look();
  }

  private look(): void {
    clearTimeout(this.timer);
    while (this.passed.delete(this.next)) this.next++;
    while (this.waiting[0] !== undefined && this.waiting[0].index <= this.next) this.release(this.waiting[0]);
    const first = this.waiting[0];
    if (first === undefined) return;
    this.wait(first, PATIENCE_TICKS);
  }

  private wait(first: Waiting, ticks: number): void {
    const dueMs = performance.now() + TICK_MS;
    this.timer = setTimeout(() => {
      const left = performance.now() > dueMs + LATE_MS ? ticks : ticks - 1;
      if (left > 0) return this.wait(first, left);
      for (let i = this.next; i < first.index; i++) if (!this.running.has(i)) this.passed.add(i);
      if (this.waiting[0] === first) this.release(first);
      this.look();
    }, TICK_MS);
  }

  private release(first: Waiting): void {
    this.waiting.splice(this.waiting.indexOf(first), 1);
    this.running.add(first.index);
    first.go();
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const { go } of this.waiting.splice(0)) go();
  }
}
