/** The circuit breaker of one hook: spec/kernel.md section 17.5. */
import type { BreakerPreset } from "./service.ts";

export interface BreakerSettings {
  failuresToOpen: number;
  successesToClose: number;
  /** Failures and slow calls older than this are forgotten. */
  windowMs: number;
  openMs: number;
  /** A call is slow from here. */
  slowMs: number;
  slowToOpen: number;
}

export const BREAKER_PRESETS: Readonly<Record<Exclude<BreakerPreset, "off">, BreakerSettings>> = {
  default: {
    failuresToOpen: 3,
    successesToClose: 2,
    windowMs: 30_000,
    openMs: 15_000,
    slowMs: 50,
    slowToOpen: 2,
  },
  production: {
    failuresToOpen: 2,
    successesToClose: 1,
    windowMs: 20_000,
    openMs: 10_000,
    slowMs: 25,
    slowToOpen: 1,
  },
  conservative: {
    failuresToOpen: 5,
    successesToClose: 3,
    windowMs: 60_000,
    openMs: 30_000,
    slowMs: 100,
    slowToOpen: 3,
  },
};

export type BreakerState = "closed" | "open" | "half_open";

/** Closed, it counts; open, it lets nothing through for a while; half open, it lets calls try. */
export class CircuitBreaker {
  private current: BreakerState = "closed";
  private openedMs = 0;
  private successes = 0;
  private failures: number[] = [];
  private slow: number[] = [];

  /** @param now milliseconds of a steady clock */
  constructor(
    private readonly settings: BreakerSettings,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get state(): BreakerState {
    if (this.current === "open" && this.now() - this.openedMs >= this.settings.openMs) {
      this.current = "half_open";
      this.successes = 0;
    }
    return this.current;
  }

  /** Whether a call may be made now. */
  allows(): boolean {
    return this.current === "closed" || this.state !== "open";
  }

  succeeded(durationMs: number): void {
    if (durationMs >= this.settings.slowMs) {
      this.count(this.slow, this.settings.slowToOpen);
      return;
    }
    if (this.current !== "half_open") return;
    this.successes++;
    if (this.successes >= this.settings.successesToClose) this.close();
  }

  failed(): void {
    this.count(this.failures, this.settings.failuresToOpen);
  }

  open(): void {
    this.current = "open";
    this.openedMs = this.now();
  }

  private count(times: number[], toOpen: number): void {
    const now = this.now();
    while (times.length > 0 && now - times[0]! >= this.settings.windowMs) times.shift();
    times.push(now);
    if (this.current === "half_open" || times.length >= toOpen) this.open();
  }

  private close(): void {
    this.current = "closed";
    this.failures = [];
    this.slow = [];
  }
}
