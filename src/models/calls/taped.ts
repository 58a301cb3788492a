/** Models whose answers are recorded, and models that are nothing but recorded answers. */
import type {
  EmbeddingModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4StreamPart,
  RerankingModelV4,
} from "@ai-sdk/provider";
import { SpellError } from "../../core/errors.ts";
import type { Tape, TapedCall } from "../../core/tape.ts";
import type { SpellModel } from "../service.ts";
import { around } from "./around.ts";
import { type KeptPart, keepParts, partsOf, streamOf } from "./parts.ts";
import { normalRequest } from "./request.ts";

/** What is known of a model before it is called. */
export interface ModelFacts {
  provider: string;
  /** `provider_type`, for prices. */
  type: string;
  modelId: string;
  contextTokens?: number;
  seesImages?: boolean;
  readsPlainText?: boolean;
  holdsToGrammar?: boolean;
  contextShift?: boolean;
  /** It tells the size of prompts without a call. */
  counts?: boolean;
  /** Of an embedding model. */
  maxEmbeddingsPerCall?: number;
}

export function factsOf(model: SpellModel, type: string): ModelFacts {
  const { provider, modelId, contextTokens, seesImages, readsPlainText, holdsToGrammar, contextShift } =
    model;
  return {
    provider,
    type,
    modelId,
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(seesImages === undefined ? {} : { seesImages }),
    ...(readsPlainText === undefined ? {} : { readsPlainText }),
    ...(holdsToGrammar === undefined ? {} : { holdsToGrammar }),
    ...(contextShift === undefined ? {} : { contextShift }),
    ...(model.countTokens === undefined ? {} : { counts: true }),
  };
}

interface KeptAnswer {
  parts: KeptPart[];
}

/** A model that is only there as far as the tape says. */
function absent({ provider, modelId, type: _type, counts: _counts, ...facts }: ModelFacts): SpellModel {
  const never = () => {
    throw new SpellError("internal", `Cannot call model ${provider}/${modelId}: it is only replayed`);
  };
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    supportedUrls: {},
    ...facts,
    doGenerate: never,
    doStream: never,
  };
}

/** @param real undefined in a replay */
export function tapedModel(real: SpellModel | undefined, facts: ModelFacts, tape: Tape): SpellModel {
  const model = real ?? absent(facts);
  const name = `${facts.provider}/${facts.modelId}`;
  return around(model, {
    ...(tape.isReplay ? { load: async () => undefined } : {}),
    doStream: (options) => {
      const call = { kind: "model", name, request: normalRequest(options) } as const;
      return tape.isReplay ? replay(call, tape) : record(model, options, call, tape);
    },
    async doGenerate(options) {
      const call = { kind: "model", name, request: { ...normalRequest(options), whole: true } } as const;
      return tape.call(call, async () => {
        const { content, finishReason, usage, providerMetadata, warnings } = await model.doGenerate(options);
        return {
          content,
          finishReason,
          usage,
          warnings,
          ...(providerMetadata === undefined ? {} : { providerMetadata }),
        };
      });
    },
    ...(facts.counts
      ? {
          countTokens: (options: LanguageModelV4CallOptions) =>
            tape
              .call({ kind: "count", name, request: normalRequest(options) }, () =>
                model.countTokens!(options),
              )
              .catch((error: unknown) => {
                // A prompt that was never counted was never sent: the call itself tells how it differs.
                if (tape.isReplay) return 0;
                throw error;
              }),
        }
      : {}),
  });
}

async function replay(call: TapedCall, tape: Tape) {
  const { answer, lastTurn, over } = await tape.stream<KeptAnswer>(call);
  return { stream: streamOf(partsOf(answer.parts), lastTurn, over) };
}

/** Passes the parts on as they come; the whole is written when it has ended, however it ended. */
async function record(model: SpellModel, options: LanguageModelV4CallOptions, call: TapedCall, tape: Tape) {
  const parts: LanguageModelV4StreamPart[] = [];
  const whole = Promise.withResolvers<void>();
  // A failure is told to whoever reads.
  const pieces: { began?: () => void } = {};
  const written = tape
    .call<KeptAnswer>(call, () => whole.promise.then(() => ({ parts: keepParts(parts) })), pieces)
    .catch((error: unknown) => {
      if (error instanceof SpellError && error.code === "io") throw error;
    });
  written.catch(() => undefined);
  let isEnded = false;
  const end = (failure?: unknown) => {
    if (isEnded) return written;
    isEnded = true;
    // What came before a failure was seen by the script: it is an answer that ends with an error.
    if (failure !== undefined && parts.length === 0) whole.reject(failure);
    else {
      if (failure !== undefined) parts.push({ type: "error", error: failure });
      whole.resolve();
    }
    return written;
  };
  let result: Awaited<ReturnType<SpellModel["doStream"]>>;
  try {
    result = await model.doStream(options);
  } catch (error) {
    await end(error);
    throw error;
  }
  const reader = result.stream.getReader();
  const stream = new ReadableStream<LanguageModelV4StreamPart>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            await end();
            controller.close();
            return;
          }
          pieces.began?.();
          parts.push(value);
          controller.enqueue(value);
        } catch (error) {
          await end(error);
          controller.error(error);
        }
      },
      async cancel(reason) {
        // first: a read that is pending then ends as if the answer had
        const ended = end(reason ?? new SpellError("interrupted", "Interrupted"));
        await reader.cancel(reason);
        await ended;
      },
    },
    { highWaterMark: 0 },
  );
  return { ...result, stream };
}

export function tapedEmbedding(
  real: EmbeddingModelV4 | undefined,
  facts: ModelFacts,
  tape: Tape,
): EmbeddingModelV4 {
  const { provider, modelId, maxEmbeddingsPerCall } = facts;
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    maxEmbeddingsPerCall: maxEmbeddingsPerCall,
    supportsParallelCalls: true,
    doEmbed: ({ values, providerOptions, abortSignal, headers }) =>
      tape.call(
        {
          kind: "embedding",
          name: `${provider}/${modelId}`,
          request: { values, ...(providerOptions === undefined ? {} : { providerOptions }) },
        },
        async () => {
          const { embeddings, usage, warnings, providerMetadata } = await real!.doEmbed({
            values,
            ...(providerOptions === undefined ? {} : { providerOptions }),
            ...(abortSignal === undefined ? {} : { abortSignal }),
            ...(headers === undefined ? {} : { headers }),
          });
          return {
            embeddings: embeddings.map((vector) => Array.from(vector)),
            warnings,
            ...(usage === undefined ? {} : { usage }),
            ...(providerMetadata === undefined ? {} : { providerMetadata }),
          };
        },
      ),
  };
}

export function tapedReranking(
  real: RerankingModelV4 | undefined,
  { provider, modelId }: ModelFacts,
  tape: Tape,
): RerankingModelV4 {
  return {
    specificationVersion: "v4",
    provider,
    modelId,
    doRerank: (options) => {
      const { documents, query, topN, providerOptions } = options;
      const request = {
        documents,
        query,
        ...(topN === undefined ? {} : { topN }),
        ...(providerOptions === undefined ? {} : { providerOptions }),
      };
      return tape.call({ kind: "reranking", name: `${provider}/${modelId}`, request }, async () => {
        const { ranking } = await real!.doRerank(options);
        return { ranking };
      });
    },
  };
}
