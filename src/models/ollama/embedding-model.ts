import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, EmbeddingModelV4Result } from "@ai-sdk/provider";
import { SpellError } from "../../core/errors.ts";
import { embedOptions } from "../llamacpp/embed-check.ts";
import type { Request } from "./connection.ts";
import { wrongShape } from "./failures.ts";
import { leastTokens, refuseOverflow } from "./room.ts";
import type { OllamaServer } from "./server.ts";

/** Texts in one request: one answer of thousands of vectors would be held as text at once. */
const MAX_TEXTS = 256;
const TOO_LONG = "Split the text into shorter ones, or have it cut with truncate = true";

/** Vectors of texts by a model of an Ollama server, of length 1. Nothing is asked before the first call. */
export function createOllamaEmbeddingModel(
  server: OllamaServer,
  provider: string,
  model: string,
): EmbeddingModelV4 {
  return {
    specificationVersion: "v4",
    provider,
    modelId: model,
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
    async doEmbed(call: EmbeddingModelV4CallOptions): Promise<EmbeddingModelV4Result> {
      const truncate = truncationOf(call);
      const request: Request = {
        what: `Cannot embed with model ${provider}/${model}`,
        model,
        signal: call.abortSignal,
      };
      await server.ready(request);
      if (!truncate) await refuseLong(server, call.values, request);
      const result: EmbeddingModelV4Result = { embeddings: [], usage: { tokens: 0 }, warnings: [] };
      try {
        for (let from = 0; from < call.values.length; from += MAX_TEXTS) {
          const texts = call.values.slice(from, from + MAX_TEXTS);
          const { vectors, tokens } = await embed(server, texts, request, truncate, call.dimensions);
          result.embeddings.push(...vectors);
          result.usage!.tokens += tokens;
        }
      } catch (error) {
        server.forgetHealth(error);
        throw error;
      }
      return result;
    },
  };
}

async function embed(
  server: OllamaServer,
  texts: string[],
  request: Request,
  truncate: boolean,
  dimensions: number | undefined,
): Promise<{ vectors: number[][]; tokens: number }> {
  const { keepAlive, contextTokens, options } = server.settings;
  const client = await server.connection.client(request);
  const { embeddings, prompt_eval_count } = await client.embed({
    model: request.model!,
    input: texts,
    truncate,
    options: { ...options, ...(contextTokens === undefined ? {} : { num_ctx: contextTokens }) },
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(keepAlive === undefined ? {} : { keep_alive: keepAlive }),
  });
  const isWhole =
    Array.isArray(embeddings) &&
    embeddings.length === texts.length &&
    embeddings.every((vector) => Array.isArray(vector) && vector.length > 0 && vector.every(Number.isFinite));
  if (!isWhole) throw wrongShape(server.connection.asking(request), `embeddings of ${texts.length} texts`);
  return { vectors: embeddings, tokens: typeof prompt_eval_count === "number" ? prompt_eval_count : 0 };
}

/** Servers before 0.12 have cut some texts whatever they were told. @throws context_overflow */
async function refuseLong(server: OllamaServer, texts: readonly string[], request: Request): Promise<void> {
  const { trainedTokens } = await server.show(request.model!, request);
  const asking = server.connection.asking(request);
  texts.forEach((text, i) => {
    const least = leastTokens(text, Number.POSITIVE_INFINITY);
    refuseOverflow(asking, `text ${i + 1}`, least, trainedTokens, TOO_LONG);
  });
}

/** @throws invalid_argument for what Ollama cannot be told */
function truncationOf({ providerOptions }: EmbeddingModelV4CallOptions): boolean {
  const { normalize = true, pooling, truncate = false } = embedOptions(providerOptions?.ollama);
  const refused = pooling !== undefined ? "pooling" : !normalize ? "normalize" : undefined;
  if (refused === undefined) return truncate;
  throw new SpellError("invalid_argument", `Cannot call the model: Ollama does not take "${refused}"`, {
    hint: "Its vectors are pooled as the model says and of length 1; a model of llmspell's own store takes it",
  });
}
