import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import type { SpellModel } from "../models/service.ts";

/**
 * Refuses a call whose prompt and answer do not fit the model's context. Nothing is ever cut in silence. Models that
 * cannot count without a call are left to refuse by themselves.
 * @param contextWindow a limit below the model's own context length
 * @param isShifted the answer may be longer than the context
 * @throws SpellError context_overflow with promptTokens, maxOutputTokens, contextTokens and overTokens
 */
export async function ensureFits(
  model: SpellModel,
  options: LanguageModelV4CallOptions,
  contextWindow: number | undefined,
  isShifted = false,
): Promise<void> {
  if (model.countTokens === undefined) return;
  const contextTokens = Math.min(model.contextTokens ?? Infinity, contextWindow ?? Infinity);
  if (contextTokens === Infinity) return;
  const promptTokens = await model.countTokens(options);
  const maxOutputTokens = isShifted ? undefined : options.maxOutputTokens;
  // An answer needs room for one token at least.
  const overTokens = promptTokens + (maxOutputTokens ?? 1) - contextTokens;
  if (overTokens <= 0) return;
  const answer = maxOutputTokens === undefined ? "an answer" : `an answer of ${maxOutputTokens}`;
  const room = contextTokens - promptTokens;
  throw new SpellError(
    "context_overflow",
    `Cannot call model ${model.modelId}: prompt of ${promptTokens} tokens and ${answer} are ${overTokens} over the context of ${contextTokens} tokens`,
    {
      data: {
        promptTokens,
        contextTokens,
        overTokens,
        ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
      },
      hint:
        room > 0
          ? `Set max_tokens to ${room} or less, or shorten the prompt, the system prompt or the conversation (max_conversation_length)`
          : "Shorten the prompt, the system prompt or the conversation (max_conversation_length), or use fewer tools",
    },
  );
}
