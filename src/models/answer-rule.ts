/** What counts as an answer, of whichever provider. */
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4Usage,
} from "@ai-sdk/provider";
import type { SpellError } from "../core/errors.ts";
import { tokensOf, usageData } from "./call-facts.ts";
import { callFailure } from "./provider-error.ts";
import type { SpellModel } from "./service.ts";

type AnsweringModel = Pick<SpellModel, "provider" | "modelId" | "readsPlainText">;

export interface AnswerEnd {
  /** It has text, a tool call or a file; thoughts alone are no answer. */
  hasContent: boolean;
  finishReason: LanguageModelV4FinishReason;
  usage: LanguageModelV4Usage;
}

/**
 * Refuses an answer that ended with an error, was withheld or cut by a content filter, or is empty. Empty it may be where
 * its tokens ran out, where the call names texts or a grammar that may end it at once, where a text is only continued or
 * turned into another, and after results of tools, to which a model may have nothing to add.
 * @throws SpellError provider; `data.usage` tells what the provider counted, for it may charge for that
 */
export function checkAnswer(
  model: AnsweringModel,
  options: LanguageModelV4CallOptions,
  { hasContent, finishReason: { unified, raw }, usage }: AnswerEnd,
): void {
  const refuse = (reason: string, hint: string): SpellError =>
    callFailure(model, `${reason}: ${raw ?? "no reason given"}`, {
      data: { finishReason: unified, ...countedOf(usage) },
      hint,
    });
  if (unified === "error")
    throw refuse("it ended with an error", "Try again; if it happens often, look at the provider's log");
  if (unified === "content-filter")
    throw refuse(
      hasContent ? "it withholds the rest of its answer" : "it withholds its answer",
      "The provider's content filter stopped it: change the prompt",
    );
  if (hasContent || unified === "length" || mayBeEmpty(model, options)) return;
  throw refuse("its answer is empty", "Try again, or change the prompt");
}

function mayBeEmpty(
  { readsPlainText }: AnsweringModel,
  { prompt, stopSequences = [], providerOptions }: LanguageModelV4CallOptions,
): boolean {
  const { grammar, rawPrompt } = providerOptions?.llamacpp ?? {};
  if (readsPlainText || rawPrompt === true) return true;
  return prompt.at(-1)?.role === "tool" || stopSequences.length > 0 || grammar !== undefined;
}

/** What a provider counted of an answer that is refused all the same. */
function countedOf(usage: LanguageModelV4Usage) {
  if (usage.inputTokens.total === undefined && usage.outputTokens.total === undefined) return {};
  return { usage: usageData(tokensOf(usage)) };
}
