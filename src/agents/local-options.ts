/** What an agent may ask of local models alone. */
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import type { SpellModel } from "../models/service.ts";

/** @throws SpellError invalid_argument for a model whose context cannot be shifted from here */
export function checkShift(contextShift: boolean | undefined, model: SpellModel): void {
  if (contextShift !== true || model.holdsToGrammar === true) return;
  throw new SpellError(
    "invalid_argument",
    `Cannot call model ${model.provider}/${model.modelId}: its context cannot be shifted`,
    { hint: "Leave out context_shift, or use a local model" },
  );
}

/** The call's provider options with the agent's own: each backend takes what it knows. */
export function localOptions(
  { providerOptions }: LanguageModelV4CallOptions,
  { contextShift, contextWindow }: { contextShift: boolean | undefined; contextWindow: number | undefined },
): NonNullable<LanguageModelV4CallOptions["providerOptions"]> {
  return {
    ...providerOptions,
    ...(contextShift === undefined ? {} : { llamacpp: { ...providerOptions?.llamacpp, contextShift } }),
    ...(contextWindow === undefined ? {} : { ollama: { ...providerOptions?.ollama, numCtx: contextWindow } }),
  };
}
