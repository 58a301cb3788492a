import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";

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
