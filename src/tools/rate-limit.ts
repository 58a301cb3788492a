import { SpellError } from "../core/errors.ts";

const WINDOW_MS = 60_000;

/** At most so many calls in any minute. */
export class RateLimit {
  private readonly calls: number[] = [];

  /** @param now milliseconds of any steady clock */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Counts a call. @throws SpellError limit, with `data.retryAfterMs` */
  take(perMinute: number): void {
    const now = this.now();
    while (this.calls.length > 0 && now - this.calls[0]! >= WINDOW_MS) this.calls.shift();
    if (this.calls.length >= perMinute) {
      const oldest = this.calls[this.calls.length - perMinute] ?? now;
      const retryAfterMs = Math.ceil(WINDOW_MS - (now - oldest));
      throw new SpellError("limit", `Rate limit exceeded: ${perMinute} tool calls a minute`, {
        data: { limit: "tool calls a minute", allowed: perMinute, retryAfterMs },
        hint: `Try again in ${Math.ceil(retryAfterMs / 1000)} s, or raise tools.rate_limit_per_minute`,
      });
    }
    this.calls.push(now);
  }
}
