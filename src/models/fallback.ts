/** Models asked in turn: where one cannot be reached, the next answers. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import type { Log } from "../core/log.ts";
import { addRetries, callFacts, failureFacts, withFacts, withRetries } from "./call-facts.ts";
import { partStream } from "./part-stream.ts";
import { isMendable } from "./provider-error.ts";
import type { SpellModel } from "./service.ts";

type Part = LanguageModelV4StreamPart;
const PREAMBLE = new Set<Part["type"]>(["stream-start", "response-metadata", "raw"]);

/**
 * One model out of several. The next is asked after failures that it could mend, and only while nothing of an answer has
 * been handed on. `providerMetadata.llmspell` tells `provider` and `model` of the one that answered, and `retries` of all.
 * @param models the preferred one first
 */
export function withFallback(models: readonly SpellModel[], log: Log): SpellModel {
  const [first, ...others] = models;
  if (first === undefined || others.length === 0) return first!;

  /** Whether another model is asked after a failure. */
  function goesOn(error: unknown, index: number, options: LanguageModelV4CallOptions): boolean {
    const [failed, next] = [models[index]!, models[index + 1]];
    if (next === undefined || options.abortSignal?.aborted || !isMendable(error)) return false;
    log.warn("model", "a model cannot answer and the next is asked", {
      failed: nameOf(failed),
      next: nameOf(next),
      reason: error.message,
    });
    return true;
  }

  async function* parts(options: LanguageModelV4CallOptions): AsyncGenerator<Part, void, void> {
    let retries = 0;
    for (const [index, model] of models.entries()) {
      const held: Part[] = [];
      let hasBegun = false;
      try {
        const { stream } = await model.doStream(options);
        for await (const part of stream) {
          if (part.type === "error") throw part.error;
          if (!hasBegun && PREAMBLE.has(part.type)) {
            held.push(withRetries(part, retries));
            continue;
          }
          hasBegun = true;
          yield* held.splice(0);
          yield part.type === "finish"
            ? { ...part, providerMetadata: answeredBy(part, model, retries) }
            : part;
        }
        return;
      } catch (error) {
        if (hasBegun || !goesOn(error, index, options)) throw addRetries(error, retries);
        retries += failureFacts(error).retries;
      }
    }
  }

  const { provider, modelId, contextTokens, seesImages, countTokens, load } = first;
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    supportedUrls: {},
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(seesImages === undefined ? {} : { seesImages }),
    ...(countTokens === undefined ? {} : { countTokens: countTokens.bind(first) }),
    ...(load === undefined ? {} : { load: load.bind(first) }),
    holdsToGrammar: models.every((model) => model.holdsToGrammar === true),
    readsPlainText: models.every((model) => model.readsPlainText === true),
    doStream: async (options) => ({ stream: partStream(parts(options)) }),
    async doGenerate(options) {
      let retries = 0;
      for (const [index, model] of models.entries()) {
        try {
          const answer = await model.doGenerate(options);
          return { ...answer, providerMetadata: answeredBy(answer, model, retries) };
        } catch (error) {
          if (!goesOn(error, index, options)) throw addRetries(error, retries);
          retries += failureFacts(error).retries;
        }
      }
      throw new Error("unreachable: the last model's failure is thrown");
    },
  };
}

function answeredBy(
  { providerMetadata }: { providerMetadata?: SharedV4ProviderMetadata },
  { provider, modelId }: SpellModel,
  failedRetries: number,
): SharedV4ProviderMetadata {
  const retries = (callFacts(providerMetadata).retries ?? 0) + failedRetries;
  return withFacts(providerMetadata, {
    provider,
    model: modelId,
    ...(retries === 0 ? {} : { retries }),
  });
}

export const nameOf = ({ provider, modelId }: SpellModel): string => `${provider}/${modelId}`;
