/**
 * Requests and tokens a minute, held by everyone in the process who uses the same quota: the same service with the same key,
 * whatever tables of the configuration name it.
 */
import { SpellError } from "../../../core/errors.ts";

export interface RateSettings {
  /** Key of the configuration table, for messages. */
  provider: string;
  requestsPerMinute: number;
  tokensPerMinute: number | undefined;
  /** Wait for room; false: fail at once. */
  waits: boolean;
}

/** Room that a request took; what it really used is told when that is known. */
export interface Taken {
  settle(tokens: number): void;
}

export interface RateClock {
  nowMs(): number;
  /** @returns what stops it */
  after(ms: number, then: () => void): () => void;
}

interface Entry {
  atMs: number;
  tokens: number;
}

interface Waiting {
  tokens: number;
  settings: RateSettings;
  start: (taken: Taken) => void;
}

const WINDOW_MS = 60_000;

const realClock: RateClock = {
  nowMs: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/**
 * In no window of a minute begin more requests than the settings of each allow; those without settings are only counted. Who
 * comes first is served first, large or small; a request with more tokens than a minute allows goes alone.
 */
export class RateLimiter {
  private readonly entries: Entry[] = [];
  private readonly queue: Waiting[] = [];
  private stopTimer: (() => void) | undefined;

  constructor(private readonly clock: RateClock = realClock) {}

  /**
   * Room for one request.
   * @param tokens about what prompt and answer will take
   * @param settings undefined: it is counted and never waits
   * @throws limit where the settings say not to wait, the signal's reason
   */
  async acquire(
    tokens: number,
    settings: RateSettings | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Taken> {
    signal?.throwIfAborted();
    this.forgetOld();
    if (settings === undefined) return this.take(tokens);
    if (this.queue.length === 0 && this.waitMs(tokens, settings) === 0) return this.take(tokens);
    if (!settings.waits) throw this.refused(tokens, settings);
    return this.wait(tokens, settings, signal);
  }

  private wait(tokens: number, settings: RateSettings, signal: AbortSignal | undefined): Promise<Taken> {
    const { promise, resolve, reject } = Promise.withResolvers<Taken>();
    const waiting: Waiting = { tokens, settings, start: resolve };
    const stop = () => {
      this.queue.splice(this.queue.indexOf(waiting), 1);
      reject(signal!.reason);
      this.serve();
    };
    waiting.start = (taken) => {
      signal?.removeEventListener("abort", stop);
      resolve(taken);
    };
    signal?.addEventListener("abort", stop, { once: true });
    this.queue.push(waiting);
    this.serve();
    return promise;
  }

  private serve(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      const ms = this.waitMs(next.tokens, next.settings);
      if (ms > 0) {
        this.stopTimer = this.clock.after(ms, () => this.serve());
        return;
      }
      this.queue.shift();
      next.start(this.take(next.tokens));
    }
  }

  private take(tokens: number): Taken {
    const entry: Entry = { atMs: this.clock.nowMs(), tokens };
    this.entries.push(entry);
    return {
      settle: (used) => {
        entry.tokens = used;
        this.serve();
      },
    };
  }

  /** How long until a request of so many tokens may begin; 0 for now. */
  private waitMs(
    tokens: number,
    { requestsPerMinute, tokensPerMinute = Number.POSITIVE_INFINITY }: RateSettings,
  ): number {
    const nowMs = this.forgetOld();
    let requests = this.entries.length;
    let taken = this.entries.reduce((sum, entry) => sum + entry.tokens, 0);
    if (requests < requestsPerMinute && taken + tokens <= tokensPerMinute) return 0;
    for (const entry of this.entries) {
      requests--;
      taken -= entry.tokens;
      const fits = requests === 0 || taken + tokens <= tokensPerMinute;
      if (requests < requestsPerMinute && fits) return entry.atMs + WINDOW_MS - nowMs;
    }
    return 0;
  }

  private forgetOld(): number {
    const nowMs = this.clock.nowMs();
    while (this.entries[0] !== undefined && this.entries[0].atMs + WINDOW_MS <= nowMs) this.entries.shift();
    return nowMs;
  }

  private refused(tokens: number, settings: RateSettings): SpellError {
    const { provider, requestsPerMinute, tokensPerMinute } = settings;
    const seconds = Math.ceil(this.waitMs(tokens, settings) / 1000);
    const isFull = this.entries.length >= requestsPerMinute;
    const rule = isFull
      ? `requests_per_minute is ${requestsPerMinute}`
      : `tokens_per_minute is ${tokensPerMinute}`;
    return new SpellError("limit", `Cannot call provider '${provider}': ${rule}`, {
      data: { limit: "rate_limit", provider, retryAfterSeconds: seconds },
      hint: `There is room in ${seconds} s; auto_retry = true in [providers.${provider}.rate_limit] waits for it`,
    });
  }
}

/** The limiters of a process, one for each quota. */
export class RateLimiters {
  private readonly limiters = new Map<string, RateLimiter>();

  /** @param quota what is shared: the address of the service and the identity of the key */
  get(quota: string): RateLimiter {
    const limiter = this.limiters.get(quota) ?? new RateLimiter();
    this.limiters.set(quota, limiter);
    return limiter;
  }
}
