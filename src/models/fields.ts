/** Models and providers in the field names that scripts and front ends see (spec/kernel.md section 3.2, lua-api.md 9, 18). */
import type { AvailableModel } from "./hub/available.ts";
import type { PullProgress } from "./hub/pull.ts";
import type { BackendStatus, LocalModel, LocalModelInfo, ProviderInfo } from "./service.ts";
import type { PartialDownload } from "./store/downloads.ts";

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
    chat_template: model.hasChatTemplate ?? null,
    memory_bytes: model.memoryBytes ?? null,
    path: model.path ?? null,
  };
}

/** spec/agents-workflows-rag.md section 3.1. */
export function progressFields({ modelId, status, bytesDownloaded, bytesTotal }: PullProgress) {
  const share = status === "complete" ? 1 : bytesTotal ? bytesDownloaded / bytesTotal : 0;
  return {
    model_id: modelId,
    status: status as string,
    percent_complete: Math.round(share * 1000) / 10,
    bytes_downloaded: bytesDownloaded,
    bytes_total: bytesTotal ?? null,
  };
}

export function downloadFields({ id, bytesDownloaded, bytesTotal }: PartialDownload): Fields {
  return { id, bytes_downloaded: bytesDownloaded, bytes_total: bytesTotal };
}

export function availableFields(model: AvailableModel): Record<string, unknown> {
  const quantizations = model.quantizations?.map(({ name, sizeBytes }) => ({
    name,
    size_bytes: sizeBytes ?? null,
  }));
  return {
    id: model.id,
    backend: model.backend ?? "llamacpp",
    repository: model.repository,
    recommended: model.recommended,
    installed: model.installed,
    about: model.about ?? null,
    parameter_count: model.parameterCount ?? null,
    downloads: model.downloads ?? null,
    gated: model.gated ?? null,
    quantizations: quantizations ?? null,
  };
}

export function statusFields(status: BackendStatus): Record<string, unknown> {
  return {
    backend: status.backend,
    running: status.running,
    available_models: status.availableModels,
    ...(status.version === undefined ? {} : { version: status.version }),
    ...(status.reason === undefined ? {} : { reason: status.reason }),
    ...(status.loadedModels === undefined ? {} : { loaded_models: status.loadedModels }),
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
