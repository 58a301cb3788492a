/**
 * The pieces of an answer's body. A consumer that stops early cancels the rest.
 * @param onIdle called where no piece came for `idleMs`; it has to abort the request
 * @param failure what is thrown for a body that fails
 */
export async function* chunksOf(
  response: Response,
  onIdle: () => void,
  idleMs: number,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  try {
    for (;;) {
      const timer = setTimeout(onIdle, idleMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw failure(error);
  } finally {
    await reader.cancel().catch(() => undefined); // a body that failed or was aborted has nothing left to cancel
  }
}
