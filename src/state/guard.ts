/**
 * A backend that is not asked for a while when it keeps failing (spec/kernel.md section 13, agents-workflows-rag.md
 * section 9.3): after ten failures in a row every call fails at once for a minute; then five calls must succeed.
 */
import { messageOf, SpellError } from "../core/errors.ts";
import type { Applied, Awaitable, StateBackend, StateChange, StateRecord } from "./backend.ts";

const FAILURES_TO_OPEN = 10;
const OPEN_MS = 60_000;
const SUCCESSES_TO_CLOSE = FAILURES_TO_OPEN / 2;

export class GuardedBackend implements StateBackend {
  readonly name: StateBackend["name"];
  operations = 0;
  errors = 0;
  trips = 0;

  private failuresInRow = 0;
  private openedAtMs: number | undefined;
  private successesLeft = 0;
  private lastReason = "";

  constructor(
    private readonly backend: StateBackend,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.name = backend.name;
  }

  get(key: string): Awaitable<StateRecord | undefined> {
    return this.guard(() => this.backend.get(key));
  }

  list(prefix: string): Awaitable<StateRecord[]> {
    return this.guard(() => this.backend.list(prefix));
  }

  keys(prefix: string): Awaitable<string[]> {
    return this.guard(() => this.backend.keys(prefix));
  }

  apply(changes: readonly StateChange[]): Promise<Applied> {
    return this.guard(() => this.backend.apply(changes)) as Promise<Applied>;
  }

  problems(): Awaitable<string[]> {
    return this.guard(() => this.backend.problems());
  }

  close(): Promise<void> {
    return this.backend.close();
  }

  private guard<T>(work: () => Awaitable<T>): Awaitable<T> {
    this.refuseWhileOpen();
    this.operations++;
    try {
      const result = work();
      if (!(result instanceof Promise)) {
        this.succeeded();
        return result;
      }
      return result.then(
        (value) => {
          this.succeeded();
          return value;
        },
        (error: unknown) => {
          this.failed(error);
          throw error;
        },
      );
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  private refuseWhileOpen(): void {
    if (this.openedAtMs === undefined) return;
    const leftMs = this.openedAtMs + OPEN_MS - this.now();
    if (leftMs > 0)
      throw new SpellError("io", `Circuit breaker is open: state storage keeps failing: ${this.lastReason}`, {
        data: { retryAfterMs: Math.ceil(leftMs) },
        hint: `It is tried again in ${Math.ceil(leftMs / 1000)} s`,
      });
    this.openedAtMs = undefined;
    this.successesLeft = SUCCESSES_TO_CLOSE;
  }

  private succeeded(): void {
    this.failuresInRow = 0;
    if (this.successesLeft > 0) this.successesLeft--;
  }

  private failed(error: unknown): void {
    if (!(error instanceof SpellError) || (error.code !== "io" && error.code !== "network")) return;
    this.errors++;
    this.failuresInRow++;
    this.lastReason = messageOf(error);
    // On trial, one failure is enough.
    if (this.failuresInRow < FAILURES_TO_OPEN && this.successesLeft === 0) return;
    this.openedAtMs = this.now();
    this.failuresInRow = 0;
    this.successesLeft = 0;
    this.trips++;
  }
}
