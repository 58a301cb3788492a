import type {
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from "@ai-sdk/provider";

/** Parts as a stream that ends with exactly one `finish` or `error` part, whatever is thrown. */
export function partStream(
  parts: AsyncGenerator<LanguageModelV4StreamPart>,
): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const next = await parts.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      } catch (error) {
        controller.enqueue({ type: "error", error });
        controller.close();
      }
    },
    async cancel() {
      await parts.return(undefined);
    },
  });
}

/**
 * The same for a call that pushes its parts. Who stops reading cancels the call.
 * @param work sends all parts up to `finish`; what it throws is the `error`
 */
export function pushedParts(
  { abortSignal }: Pick<LanguageModelV4CallOptions, "abortSignal">,
  work: (send: (part: LanguageModelV4StreamPart) => void, signal: AbortSignal) => Promise<void>,
): LanguageModelV4StreamResult {
  const cancel = new AbortController();
  const readerGone = cancel.signal;
  const signal = abortSignal === undefined ? readerGone : AbortSignal.any([abortSignal, readerGone]);
  const stream = new ReadableStream<LanguageModelV4StreamPart>({
    start(controller) {
      const send = (part: LanguageModelV4StreamPart) => {
        if (!readerGone.aborted) controller.enqueue(part);
      };
      void work(send, signal)
        .catch((error: unknown) => send({ type: "error", error }))
        .then(() => {
          if (!readerGone.aborted) controller.close();
        });
    },
    cancel: (reason) => cancel.abort(reason),
  });
  return { stream };
}
