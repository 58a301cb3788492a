/** Lets recorded answers come in the order in which they came when they were recorded. */

/** Where nothing has happened for so long, those that are still missing will not be asked for. */
const PATIENCE_MS = 250;

interface Waiting {
  index: number;
  go: () => void;
}

export class Turns {
  /** Those that are over, or nobody will ask for. */
  private readonly over = new Set<number>();
  private next = 0;
  private readonly waiting: Waiting[] = [];
  private readonly running = new Set<number>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Resolves when everything before `index` is over, or nothing moves any more: a script that has changed may not ask for
   * all that was recorded, and an answer may wait for one that came before its own end.
   * @returns to be called when the answer has been taken
   */
  async of(index: number): Promise<() => void> {
    await new Promise<void>((go) => {
      this.waiting.push({ index, go });
      this.waiting.sort((a, b) => a.index - b.index);
      this.look();
    });
    this.running.add(index);
    return () => {
      this.running.delete(index);
      this.over.add(index);
      // What follows from this answer comes before the next one.
      setImmediate(() => this.look());
    };
  }

  private look(): void {
    clearTimeout(this.timer);
    while (this.over.has(this.next)) this.next++;
    const first = this.waiting[0];
    if (first === undefined) return;
    if (first.index <= this.next) this.release(first);
    else
      this.timer = setTimeout(() => {
        for (let i = this.next; i < first.index; i++) if (!this.running.has(i)) this.over.add(i);
        if (this.waiting[0] === first) this.release(first);
        else this.look();
      }, PATIENCE_MS);
  }

  private release(first: Waiting): void {
    this.waiting.splice(this.waiting.indexOf(first), 1);
    first.go();
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const { go } of this.waiting.splice(0)) go();
  }
}
