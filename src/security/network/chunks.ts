export interface IdleLimit {
  ms: number;
  /** Called where nothing came for so long; it has to abort the request. */
  onIdle: () => void;
}

/**
 * The pieces of an answer's body. A consumer that stops early cancels the rest.
 * @param failure what is thrown for a body that fails
 * @param idle for each piece; undefined where another clock runs
 */
export async function* chunksOf(
  response: Response,
  failure: (error: unknown) => unknown,
  idle?: IdleLimit,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  const patience = idle === undefined ? undefined : new Patience(idle);
  try {
    for (;;) {
      patience?.renew();
      const { done, value } = await (patience?.during(reader.read()) ?? reader.read());
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw failure(error);
  } finally {
    await reader.cancel().catch(() => undefined); // a body that failed or was aborted has nothing left to cancel
  }
}

/** Only time that is spent waiting counts, not what a slow reader takes for what has come. */
export class Patience {
  private leftMs: number;

  constructor(private readonly limit: IdleLimit) {
    this.leftMs = limit.ms;
  }

  /** What was waited for has come. */
  renew(): void {
    this.leftMs = this.limit.ms;
  }

  async during<T>(wait: Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const timer = setTimeout(this.limit.onIdle, Math.max(0, this.leftMs));
    try {
      return await wait;
    } finally {
      clearTimeout(timer);
      this.leftMs -= performance.now() - startedMs;
    }
  }
}
