/** Models and providers: what the rest of the program knows of them. */
import type {
  EmbeddingModelV4,
  LanguageModelV4,
  LanguageModelV4CallOptions,
  RerankingModelV4,
} from "@ai-sdk/provider";
import type { KernelEvent } from "../kernel/api.ts";
import type { AvailableModel } from "./hub/available.ts";
import type { PullProgress } from "./hub/pull.ts";
import type { Machine } from "./machine.ts";
import type { PartialDownload } from "./store/downloads.ts";

/** Id of the model that is part of the executable: `local/spell-mini` needs no configuration and no download. */
export const EMBEDDED_MODEL = "spell-mini";

/** What runs local models. */
export type Backend = "llamacpp" | "ollama";

/** `[provider/]model[@backend]` taken apart (spec/agents-workflows-rag.md section 2.1). */
export interface ModelSpecifier {
  /** Text before the first slash; undefined where there is none. */
  provider: string | undefined;
  model: string;
  /** Text after the last `@`; `candle` already turned into `llamacpp`. */
  backend: Backend | undefined;
}

/** The AI SDK's language model, with what local models can tell besides. */
export interface SpellModel extends LanguageModelV4 {
  /** Context length in tokens, where it is known before a call. */
  readonly contextTokens?: number;
  /** Whether it takes images, where that is known before a call. */
  readonly seesImages?: boolean;
  /** It turns one text into another: nothing is said to it that the script does not say. */
  readonly readsPlainText?: boolean;
  /** Its answers are held to schemas and grammars while they are written. */
  readonly holdsToGrammar?: boolean;
  /** Answers go on where the context is full, unless a call says otherwise. */
  readonly contextShift?: boolean;
  /**
   * Brings the model into memory, where it is not; calls do so by themselves. For models that are loaded here.
   * @throws SpellError model_invalid, interrupted
   */
  load?(options: LoadOptions): Promise<void>;
  /** Prompt tokens of a call, exactly, template and tools included; for models that can tell without a call. */
  countTokens?(options: LanguageModelV4CallOptions): Promise<number>;
}

export interface LoadOptions {
  signal?: AbortSignal | undefined;
  /** Share of the model that is in memory, 0 to 1. Told only of loads that take a while. */
  onProgress?: (share: number) => void;
}

export interface ProviderInfo {
  /** `factory/provider/model`, spec/lua-api.md section 9. */
  name: string;
  /** Key of the configuration table. */
  key: string;
  providerType: string;
  enabled: boolean;
  isDefault: boolean;
  defaultModel: string | undefined;
  baseUrl: string | undefined;
  keySource: string | undefined;
  capabilities: {
    supportsStreaming: boolean;
    supportsMultimodal: boolean;
    maxContextTokens?: number;
    availableModels?: string[];
  };
}

export interface ModelOverrides {
  provider?: string;
  baseUrl?: string;
  apiKey?: string;
  /** Attempts after a failed request. */
  maxRetries?: number;
  /** Specifiers of models that are asked in turn where this one cannot be; instead of the provider's own. */
  fallback?: readonly string[];
}

export interface LocalModel {
  /** `name:variant` as it stands in the store, or `spell-mini` for the embedded one. */
  id: string;
  backend: Backend;
  sizeBytes: number;
  quantization?: string;
  /** Seconds since 1970. */
  modifiedAt?: number;
}

export interface LocalModelInfo extends LocalModel {
  path?: string;
  format: string;
  loaded: boolean;
  architecture?: string;
  parameterCount?: number;
  contextLength?: number;
  licence?: string;
  hasChatTemplate?: boolean;
  /** About what it takes in memory with the configured context. */
  memoryBytes?: number;
}

export interface PullRequest {
  /** For a repository, where the name gives none. */
  quantization?: string;
  force: boolean;
  onProgress?: (progress: PullProgress) => void;
  signal?: AbortSignal;
}

export interface AvailableOptions {
  /** A name of a backend, or `all`. */
  backend?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface BackendStatus {
  backend: Backend;
  running: boolean;
  availableModels: number;
  version?: string;
  /** Why it does not run, or what is wrong with it. */
  reason?: string;
  /** Ids of the models in memory, where the backend is a server. */
  loadedModels?: string[];
}

export interface ModelService {
  /**
   * The model behind a specifier and the configuration. Loads no weights, and touches no network, but for `local/NAME`
   * where the name is in no store of ours: then Ollama is asked whether it has it.
   * @throws not_found (unknown provider or model, nearest names in the hint), config (no key, disabled)
   */
  resolve(specifier: string, overrides?: ModelOverrides): Promise<SpellModel>;
  /** As `resolve`, for vectors of texts. @throws as `resolve`; config where the provider gives none */
  resolveEmbedding(specifier: string, overrides?: ModelOverrides): Promise<EmbeddingModelV4>;
  /** As `resolve`, for scores of documents. @throws as `resolve`; config where the provider gives none */
  resolveReranking(specifier: string, overrides?: ModelOverrides): Promise<RerankingModelV4>;
  /** Configured and enabled providers, default first, then by name. */
  providers(): readonly ProviderInfo[];
  /** A provider by key, by `factory/provider/model` or by type; `local` is there without configuration. */
  provider(name: string): ProviderInfo | undefined;
  /**
   * Why a provider cannot be used (no key in the environment, disabled); undefined where it can.
   * @throws not_found with the nearest names
   */
  providerProblem(name: string): string | undefined;
  /**
   * The same, and for local models whether the default model is in the store and whole.
   * @throws not_found with the nearest names
   */
  examineProvider(name: string): Promise<string | undefined>;
  list(backend?: string): Promise<LocalModel[]>;
  info(model: string): Promise<LocalModelInfo>;
  status(backend?: string): Promise<BackendStatus[]>;
  import(
    path: string,
    options: {
      name?: string;
      /** Which of several models in a directory of Ollama's. */
      model?: string;
      force: boolean;
      onEvent?: (e: KernelEvent) => void;
      signal?: AbortSignal;
    },
  ): Promise<LocalModelInfo>;
  /**
   * Downloads a model, or goes on with a download that was interrupted.
   * @param model `name[:variant][@backend]`
   * @throws config (backend not configured), and what src/models/hub/pull.ts throws
   */
  pull(model: string, options: PullRequest): Promise<PullProgress>;
  /**
   * The recommended models, or what the Hub has for a query; Ollama's recommended ones besides.
   * @throws network, provider, not_found
   */
  available(query: string | undefined, options?: AvailableOptions): Promise<AvailableModel[]>;
  /** Writes a model into one file for another machine. @throws not_found, already_exists, io, model_invalid */
  export(
    model: string,
    path: string,
    options: { force: boolean; onEvent?: (e: KernelEvent) => void; signal?: AbortSignal },
  ): Promise<{ id: string; sizeBytes: number }>;
  /** Pulls that were begun and not finished. */
  downloads(): Promise<PartialDownload[]>;
  /** Takes a model out of memory. @returns whether it was there */
  unload(model: string): Promise<boolean>;
  /**
   * Fetches Ollama's installer and runs it; whoever calls this has asked the user.
   * @returns where the program lies now
   * @throws already_exists, platform, network, provider
   */
  installOllama(options: {
    onEvent?: (e: KernelEvent) => void;
    signal?: AbortSignal;
  }): Promise<string | undefined>;
  remove(model: string): Promise<void>;
  /** What the machine offers to local models, and what a trial of them gave. */
  machine(signal?: AbortSignal): Promise<Machine>;
  /** Frees models, contexts and the inference worker. */
  dispose(): Promise<void>;
}
