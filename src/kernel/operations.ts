/** The requests that are being answered, counted by guards that end on every path. */
import { SpellError } from "../core/errors.ts";

export interface OperationGuard extends Disposable {
  /** Aborted by `abort`, and when the kernel ends and the operation does not. */
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

export class Operations {
  completed = 0;
  cancelled = 0;
  /** From the beginning of the kernel's end. */
  refusing = false;
  private readonly running = new Set<AbortController>();
  private onEmpty: (() => void) | undefined;

  get active(): number {
    return this.running.size;
  }

  /** @throws SpellError interrupted once the kernel is ending */
  begin(): OperationGuard {
    if (this.refusing)
      throw new SpellError("interrupted", "Kernel is shutting down, not accepting new requests", {
        hint: "Start it again with `llmspell kernel start`",
      });
    const abort = new AbortController();
    this.running.add(abort);
    return {
      signal: abort.signal,
      abort: (reason) => abort.abort(reason),
      [Symbol.dispose]: () => {
        if (!this.running.delete(abort)) return;
        if (this.refusing && abort.signal.aborted) this.cancelled++;
        else this.completed++;
        if (this.running.size === 0) this.onEmpty?.();
      },
    };
  }

  refuse(): void {
    this.refusing = true;
  }

  /** Waits until nothing runs, at most so long; false where something still does. */
  async idle(limitMs: number): Promise<boolean> {
    if (this.running.size === 0) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.onEmpty = () => resolve(true);
    const timer = setTimeout(() => resolve(false), limitMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.onEmpty = undefined;
    }
  }

  cancel(reason: SpellError): void {
    for (const abort of this.running) abort.abort(reason);
  }
}
