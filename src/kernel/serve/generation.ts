/** Answers of a language model to one request: whole, or part by part. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { observeChat, usageOf } from "../../models/observe.ts";
import type { SpellModel } from "../../models/service.ts";
import type { Writer } from "../protocol/openai/answer.ts";
import type { Call } from "../protocol/openai/settings.ts";

/** An answer without a limit of its own goes on until the context is full. */
const NO_LIMIT = 2 ** 31 - 1;

/** All choices, or the failure of the first that fails; the others are then cancelled. */
async function together<T>(
  call: Call,
  model: SpellModel,
  signal: AbortSignal,
  run: (options: LanguageModelV4CallOptions, index: number) => Promise<T>,
): Promise<T[]> {
  const failed = new AbortController();
  const abortSignal = AbortSignal.any([signal, failed.signal]);
  const maxOutputTokens = model.contextTokens ?? NO_LIMIT;
  try {
    return await Promise.all(
      call.choices.map(({ options }, i) => run({ maxOutputTokens, ...options, abortSignal }, i)),
    );
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

export async function wholeAnswer(
  model: SpellModel,
  call: Call,
  writer: Writer,
  signal: AbortSignal,
): Promise<{ answer: object; usages: LanguageModelV4Usage[] }> {
  const results = await together(call, model, signal, (options) =>
    observeChat(model, options, async (tell) => {
      const result = await model.doGenerate(options);
      tell({ finishReason: result.finishReason.unified, ...usageOf(result.usage) });
      return result;
    }),
  );
  return { answer: writer.whole(results), usages: results.map(({ usage }) => usage) };
}

type Finish = Extract<LanguageModelV4StreamPart, { type: "finish" }>;

interface Begun {
  /** Told how it ended. */
  finish: PromiseWithResolvers<Finish>;
  first: IteratorResult<LanguageModelV4StreamPart>;
  rest: AsyncIterator<LanguageModelV4StreamPart>;
}

/**
 * Starts every choice and waits until each has said something, so that what can be refused is refused before an answer
 * begins. The function it gives sends the chunks until all choices have ended.
 * @throws whatever a choice fails with; afterwards `run` does
 */
export async function streamedAnswer(
  model: SpellModel,
  call: Call,
  writer: Writer,
  signal: AbortSignal,
): Promise<(send: (chunk: object) => void) => Promise<LanguageModelV4Usage[]>> {
  const begun = await together(call, model, signal, async (options) => begin(model, options));
  return async (send) => {
    const usages = await Promise.all(
      begun.map((choice, i) => follow(choice, (part) => writer.chunks(i, part).forEach(send))),
    );
    if (call.includeUsage) send(writer.usageChunk(usages));
    return usages;
  };
}

const PREAMBLE: ReadonlySet<LanguageModelV4StreamPart["type"]> = new Set([
  "stream-start",
  "response-metadata",
]);

/** The call counts as one until `follow` has seen its end. */
function begin(model: SpellModel, options: LanguageModelV4CallOptions): Promise<Begun> {
  const begun = Promise.withResolvers<Begun>();
  observeChat(model, options, async (tell) => {
    const finish = Promise.withResolvers<Finish>();
    begun.resolve({ ...(await open(model, options)), finish });
    const { finishReason, usage } = await finish.promise;
    tell({ finishReason: finishReason.unified, ...usageOf(usage) });
  }).catch(begun.reject);
  return begun.promise;
}

async function open(model: SpellModel, options: LanguageModelV4CallOptions): Promise<Omit<Begun, "finish">> {
  const { stream } = await model.doStream(options);
  const rest = stream[Symbol.asyncIterator]();
  let first = await rest.next();
  while (!first.done && PREAMBLE.has(first.value.type)) first = await rest.next();
  if (!first.done && first.value.type === "error") throw first.value.error;
  return { first, rest };
}

async function follow(
  { first, rest, finish }: Begun,
  take: (part: LanguageModelV4StreamPart) => void,
): Promise<LanguageModelV4Usage> {
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      if (next.value.type === "error") throw next.value.error;
      take(next.value);
      if (next.value.type !== "finish") continue;
      finish.resolve(next.value);
      return next.value.usage;
    }
    throw new Error("a model's stream ended without saying how");
  } catch (error) {
    finish.reject(error);
    throw error;
  }
}
