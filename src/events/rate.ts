/** A token bucket: so many events a second in the long run, `burst` at once. */
export class TokenBucket {
  private tokens: number;
  private atMs: number;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.tokens = burst;
    this.atMs = now();
  }

  take(): boolean {
    if (this.tokens < 1) {
      const nowMs = this.now();
      this.tokens = Math.min(this.burst, this.tokens + ((nowMs - this.atMs) * this.perSecond) / 1000);
      this.atMs = nowMs;
      if (this.tokens < 1) return false;
    }
    this.tokens--;
    return true;
  }
}
