/** `Provider`: spec/lua-api.md section 9. */
import { Type } from "typebox";
import { ScriptTable } from "../core/values.ts";
import { capabilityFields } from "../models/fields.ts";
import type { ModelService, ProviderInfo } from "../models/service.ts";
import { type GlobalDecl, param, wait } from "./declare.ts";

const name = param("name", Type.String(), "Key of the provider, its type, or factory/provider/model");

/** Reads as a table and as text: examples print and join entries. */
function entry(provider: ProviderInfo): ScriptTable {
  return new ScriptTable({
    fields: { name: provider.name, enabled: provider.enabled, capabilities: capabilityFields(provider) },
    text: provider.name,
  });
}

/** Nil for a provider that cannot be used: no key is set, or it is disabled. */
function usable(models: ModelService, wanted: string): ProviderInfo | undefined {
  const provider = models.provider(wanted);
  return provider !== undefined && models.providerProblem(provider.key) === undefined ? provider : undefined;
}

export const ProviderGlobal: GlobalDecl = {
  name: "Provider",
  doc: "The configured model providers.",
  functions: {
    list: wait({
      doc: "The providers that are configured, enabled and usable, the default first. Without any, agents still have `local/spell-mini`.",
      params: [],
      returns: "{name, enabled, capabilities}[]",
      handler: async ({ services }) => {
        const models = await services.models();
        return models
          .providers()
          .filter((provider) => models.providerProblem(provider.key) === undefined)
          .map(entry);
      },
    }),
    get: wait({
      doc: "One provider; nil for an unknown one.",
      params: [name],
      returns: "{name, enabled, capabilities} | nil",
      handler: async ({ services }, wanted) => {
        const provider = (await services.models()).provider(wanted);
        return provider === undefined ? null : entry(provider);
      },
    }),
    getCapabilities: wait({
      doc: "What a provider can do; nil for an unknown one.",
      params: [name],
      returns: "{supports_streaming, supports_multimodal, max_context_tokens?, available_models?} | nil",
      handler: async ({ services }, wanted) => {
        const provider = (await services.models()).provider(wanted);
        return provider === undefined ? null : capabilityFields(provider);
      },
    }),
    isAvailable: wait({
      doc: "Whether the provider can be used now: known, enabled, its key set. Asks no network.",
      params: [name],
      returns: "boolean",
      handler: async ({ services }, wanted) => usable(await services.models(), wanted) !== undefined,
    }),
  },
  bothSpellings: true,
};
