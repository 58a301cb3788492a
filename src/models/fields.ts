/** Models and providers in the field names that scripts and front ends see (spec/kernel.md section 3.2, lua-api.md 9, 18). */
import type { BackendStatus, LocalModel, LocalModelInfo, ProviderInfo } from "./service.ts";

type Fields = Record<string, string | number | boolean | null>;

export function modelFields(model: LocalModel): Fields {
  return {
    id: model.id,
    backend: model.backend,
    size_bytes: model.sizeBytes,
    quantization: model.quantization ?? null,
    modified_at: model.modifiedAt ?? null,
  };
}

export function modelInfoFields(model: LocalModelInfo): Fields {
  return {
    ...modelFields(model),
    format: model.format,
    loaded: model.loaded,
    parameter_count: model.parameterCount ?? null,
    context_length: model.contextLength ?? null,
    architecture: model.architecture ?? null,
    licence: model.licence ?? null,
    path: model.path ?? null,
  };
}

export function statusFields(status: BackendStatus): Fields {
  return {
    backend: status.backend,
    running: status.running,
    available_models: status.availableModels,
    ...(status.version === undefined ? {} : { version: status.version }),
    ...(status.reason === undefined ? {} : { reason: status.reason }),
  };
}

/** @param problem why it cannot be used, where it cannot */
export function providerFields(provider: ProviderInfo, problem: string | undefined): Fields {
  return {
    name: provider.key,
    provider_type: provider.providerType,
    enabled: provider.enabled,
    default_model: provider.defaultModel ?? null,
    base_url: provider.baseUrl ?? null,
    key_source: provider.keySource ?? null,
    is_default: provider.isDefault,
    problem: problem ?? null,
  };
}

export function capabilityFields({ capabilities }: ProviderInfo) {
  const { supportsStreaming, supportsMultimodal, maxContextTokens, availableModels } = capabilities;
  return {
    supports_streaming: supportsStreaming,
    supports_multimodal: supportsMultimodal,
    ...(maxContextTokens === undefined ? {} : { max_context_tokens: maxContextTokens }),
    ...(availableModels === undefined ? {} : { available_models: availableModels }),
  };
}
