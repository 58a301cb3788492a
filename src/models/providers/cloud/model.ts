import type { LanguageModelV4CallOptions, SharedV4Warning } from "@ai-sdk/provider";
import { promptEstimate } from "../../calls/bounds.ts";
import { partStream } from "../../part-stream.ts";
import { callFailure } from "../../provider-error.ts";
import type { SpellModel } from "../../service.ts";
import { AnswerGuard, usualReason } from "./answer-guard.ts";
import { shortCallIds } from "./call-ids.ts";
import type { Connection } from "./connection.ts";
import { contextTokensOf, seesImages } from "./known-models.ts";
import { schemaRequest } from "./schema-request.ts";
import { CallState } from "./transport.ts";

/**
 * A model behind a vendor's interface. `providerMetadata.llmspell` of the last part, or of a whole answer, tells `retries`.
 */
export function cloudModel(connection: Connection): SpellModel {
  const { model, request, vendor } = connection;
  const { settings, type } = request.provider;
  const imagesSeen = seesImages(type, model.modelId);
  const contextTokens = settings.context_size ?? contextTokensOf(type, model.modelId);

  function prepared(options: LanguageModelV4CallOptions): LanguageModelV4CallOptions {
    return schemaRequest(
      {
        ...options,
        ...(vendor.wantsShortCallIds ? { prompt: shortCallIds(options.prompt) } : {}),
      },
      vendor,
      model.modelId,
      settings.structured_outputs ?? true,
    );
  }

  async function begin(given: LanguageModelV4CallOptions, isStreamed: boolean) {
    given.abortSignal?.throwIfAborted();
    if (vendor.hasNoTools && (given.tools ?? []).length > 0 && given.toolChoice?.type !== "none")
      throw callFailure(model, "it can call no tools", {
        code: "invalid_argument",
        hint: "Leave out the tools, or choose a model that was trained to call them",
      });
    if (hasImages(given) && imagesSeen === false)
      throw callFailure(model, "it sees no images", {
        code: "invalid_argument",
        hint: "Leave out the images, or choose a model that sees them",
      });
    const options = prepared(given);
    const call = new CallState(isStreamed, expectedTokens(options));
    const { client, hide } = await connection.client(call);
    return {
      options,
      chat: client.chat(model.modelId),
      guard: new AnswerGuard(model, call, options, hide),
    };
  }

  /** What a client leaves out of a request, because the vendor has no place for it. */
  function told(warnings: readonly SharedV4Warning[]): void {
    if (warnings.length > 0) request.log.debug("model", "a setting is not sent", { ...model, warnings });
  }

  return {
    specificationVersion: "v4",
    ...model,
    supportedUrls: {},
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(imagesSeen === undefined ? {} : { seesImages: imagesSeen }),

    async doStream(given) {
      const { options, chat, guard } = await begin(given, true);
      try {
        const { stream } = await chat.doStream(options);
        return { stream: partStream(guard.parts(stream, told)) };
      } catch (error) {
        throw guard.failure(error);
      }
    },

    async doGenerate(given) {
      const { options, chat, guard } = await begin(given, false);
      try {
        const answer = await chat.doGenerate(options);
        const llmspell = guard.whole(answer.content, answer);
        const { content, finishReason, usage, warnings, providerMetadata } = answer;
        return {
          content,
          finishReason: usualReason(finishReason),
          usage,
          warnings,
          providerMetadata: { ...providerMetadata, llmspell },
        };
      } catch (error) {
        throw guard.failure(error);
      }
    },
  };
}

const hasImages = ({ prompt }: LanguageModelV4CallOptions): boolean =>
  prompt.some(({ role, content }) => role === "user" && content.some((part) => part.type === "file"));

/** Where a call does not say how long an answer may be. */
const USUAL_ANSWER_TOKENS = 500;

/** A guess for limits of tokens a minute, made good when the vendor has counted. */
const expectedTokens = (options: LanguageModelV4CallOptions): number =>
  promptEstimate(options) + (options.maxOutputTokens ?? USUAL_ANSWER_TOKENS);
