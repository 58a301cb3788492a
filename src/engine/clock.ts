/** Counts the time of a run against its limit, without the time it waits for somebody to type. */
export class RunClock {
  private remainingMs: number;
  private startedMs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pauses = 0;
  private stopped = false;

  /** Starts at once. @param limitMs undefined: no limit */
  constructor(
    limitMs: number | undefined,
    private readonly onEnd: () => void,
  ) {
    this.remainingMs = limitMs ?? Number.POSITIVE_INFINITY;
    this.start();
  }

  private start(): void {
    this.startedMs = performance.now();
    if (Number.isFinite(this.remainingMs)) this.timer = setTimeout(this.onEnd, this.remainingMs);
  }

  /** Stands still while `waiting` is pending. */
  async without<T>(waiting: Promise<T>): Promise<T> {
    if (this.pauses++ === 0) this.pause();
    try {
      return await waiting;
    } finally {
      if (--this.pauses === 0 && !this.stopped) this.start();
    }
  }

  private pause(): void {
    clearTimeout(this.timer);
    this.remainingMs = Math.max(0, this.remainingMs - (performance.now() - this.startedMs));
  }

  /** For good. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }
}
