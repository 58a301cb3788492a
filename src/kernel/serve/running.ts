/** The requests that are being answered. */
import { SpellError } from "../../core/errors.ts";

export interface Running {
  /** Aborted when the client has left or the server ends. */
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  end(): void;
}

export class RunningRequests {
  private readonly aborts = new Set<AbortController>();
  private empty = Promise.withResolvers<void>();

  constructor(private readonly most: number) {}

  /** Undefined where there are as many as may be. */
  begin(client: AbortSignal): Running | undefined {
    if (this.aborts.size >= this.most) return undefined;
    const abort = new AbortController();
    this.aborts.add(abort);
    return {
      signal: AbortSignal.any([client, abort.signal]),
      abort: (reason) => abort.abort(reason),
      end: () => {
        this.aborts.delete(abort);
        if (this.aborts.size === 0) this.empty.resolve();
      },
    };
  }

  /** Waits for what runs, at most `graceMs`; then cancels it and waits for its end. */
  async drain(graceMs: number): Promise<void> {
    if (this.aborts.size === 0) return;
    this.empty = Promise.withResolvers();
    const timer = setTimeout(() => {
      for (const abort of this.aborts)
        abort.abort(new SpellError("interrupted", "The server is shutting down"));
    }, graceMs);
    await this.empty.promise;
    clearTimeout(timer);
  }
}
