import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import { SpellError } from "../../../core/errors.ts";
import { withFacts } from "../../call-facts.ts";
import { bytesEstimate, textsBound } from "../../calls/bounds.ts";
import { callFailure } from "../../provider-error.ts";
import { AnswerGuard } from "./answer-guard.ts";
import type { Connection } from "./connection.ts";
import { CallState } from "./transport.ts";

/** @throws config where the vendor has no vectors */
export async function cloudEmbedding(connection: Connection): Promise<EmbeddingModelV4> {
  const { model } = connection;
  const { client } = await connection.client(new CallState(false, 0));
  const facts = client.embedding?.(model.modelId);
  if (facts === undefined) {
    throw new SpellError("config", `Cannot embed with provider '${model.provider}': it has no such models`, {
      data: { provider: model.provider },
      hint: "Use openai, cohere, gemini, mistral, together or a local model",
    });
  }
  return {
    specificationVersion: "v4",
    ...model,
    maxEmbeddingsPerCall: facts.maxEmbeddingsPerCall,
    supportsParallelCalls: facts.supportsParallelCalls,
    async doEmbed(options) {
      const tokens = bytesEstimate(textsBound(options.values));
      const call = new CallState(false, tokens);
      const { client, hide } = await connection.client(call);
      const guard = new AnswerGuard(model, call, { ...options, prompt: [] }, hide);
      try {
        const result = await client.embedding!(model.modelId).doEmbed(options);
        call.taken?.settle(result.usage?.tokens ?? tokens);
        if (result.embeddings.length === options.values.length)
          return {
            ...result,
            providerMetadata: withFacts(result.providerMetadata, { retries: call.retries }),
          };
        const got = result.embeddings.length;
        throw callFailure(model, `it gives ${got} vectors for ${options.values.length} texts`);
      } catch (error) {
        throw guard.failure(error);
      }
    },
  };
}
