/** The longest a timer can wait. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Wakes whoever waits now, each time it is fired. */
export class Pulse {
  private next = Promise.withResolvers<void>();

  fire(): void {
    this.next.resolve();
    this.next = Promise.withResolvers();
  }

  /** Resolves when it is fired, and at the latest after `timeoutMs` or 24 days. */
  async wait(timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { promise } = this.next;
    if (timeoutMs === Number.POSITIVE_INFINITY) return promise;
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, Math.min(Math.max(timeoutMs, 0), LONGEST_TIMER_MS));
    await Promise.race([promise, over.promise]);
    clearTimeout(timer);
  }
}
