/** Tells the first of many like events from the rest, so that a burst is logged once. */
export class Burst {
  private lastMs = Number.NEGATIVE_INFINITY;
  private logged = false;

  /** @param quietMs a burst has ended after so long without one */
  constructor(private readonly quietMs = 5000) {}

  /** @returns whether it is the first of a burst */
  begins(): boolean {
    const nowMs = performance.now();
    const isFirst = !this.logged || nowMs - this.lastMs > this.quietMs;
    this.lastMs = nowMs;
    this.logged = true;
    return isFirst;
  }
}
