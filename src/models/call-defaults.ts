import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { ProviderConfig } from "../config/schema.ts";
import { around } from "./calls/around.ts";
import type { SpellModel } from "./service.ts";

/** The same model; calls that name no temperature or longest answer get the provider's. */
export function withDefaults(
  model: SpellModel,
  { temperature, max_tokens: maxOutputTokens }: ProviderConfig,
): SpellModel {
  if (temperature === undefined && maxOutputTokens === undefined) return model;
  const filled = (options: LanguageModelV4CallOptions): LanguageModelV4CallOptions => ({
    ...options,
    ...(options.temperature === undefined && temperature !== undefined ? { temperature } : {}),
    ...(options.maxOutputTokens === undefined && maxOutputTokens !== undefined ? { maxOutputTokens } : {}),
  });
  return around(model, {
    doStream: (options) => model.doStream(filled(options)),
    doGenerate: (options) => model.doGenerate(filled(options)),
  });
}
