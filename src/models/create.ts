/** The models service: providers of the configuration, local models, and the model behind a specifier. */
import type { EmbeddingModelV4, RerankingModelV4 } from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { ConfigService } from "../kernel/services.ts";
import type { KeyStore } from "../security/keys/store.ts";
import { LocalModels } from "./local.ts";
import { observedEmbedding, observedReranking } from "./observe.ts";
import { openChain } from "./open-chain.ts";
import { LOCAL, type Provider, ProviderTable } from "./provider-table.ts";
import { isCloud } from "./provider-types.ts";
import { TestModels } from "./providers/test/models.ts";
import type {
  Backend,
  BackendStatus,
  LocalModel,
  ModelOverrides,
  ModelService,
  ModelSpecifier,
  SpellModel,
} from "./service.ts";
import { emptySpecifier, formatSpecifier, parseBackend, parseSpecifier } from "./specifier.ts";

export interface ModelServiceOptions {
  config: ConfigService;
  log: Log;
  env: Record<string, string | undefined>;
  /** Where the store lies when the configuration names no `model_directory`. */
  dataDirectory: string;
  keys: KeyStore;
}

export function createModelService({
  config,
  log,
  env,
  dataDirectory,
  keys,
}: ModelServiceOptions): ModelService {
  const table = new ProviderTable(config, { env, store: keys });
  const local = new LocalModels(env, dataDirectory, log);
  const scripted = new TestModels();
  const localSettings = () => table.require(LOCAL).settings;

  /** A local model's name may carry `local/` and `@backend`. */
  function localId(model: string): { id: string; backend: Backend | undefined } {
    const spec = parseSpecifier(model);
    const isLocal = spec.provider !== undefined && table.find(spec.provider)?.type === "llamacpp";
    if (spec.model === "") throw emptySpecifier();
    return {
      id: isLocal ? spec.model : formatSpecifier({ ...spec, backend: undefined }),
      backend: spec.backend,
    };
  }

  async function backendStatus(backend: Backend): Promise<BackendStatus> {
    if (backend === "llamacpp") {
      const models = await local.list(localSettings());
      return { backend, running: true, availableModels: models.length };
    }
    const configured = table.find("ollama");
    const reason = configured === undefined ? "Not configured" : table.problem(configured)!;
    return { backend, running: false, availableModels: 0, reason };
  }

  function chosen({ provider, backend }: ModelSpecifier): Provider {
    if (provider !== undefined) return table.require(provider);
    return backend !== undefined ? table.require(LOCAL) : table.defaultProvider();
  }

  const cloud = () => import("./providers/cloud/open.ts");
  const cloudRequest = (provider: Provider, modelId: string, overrides: ModelOverrides = {}) => ({
    ...{ provider, modelId, overrides, env, log },
    apiKey: table.apiKey(provider),
    config: () => config.current,
  });

  async function open(specifier: string, overrides: ModelOverrides): Promise<SpellModel> {
    const { provider, model } = target(specifier, overrides);
    if (isCloud(provider)) return (await cloud()).openCloud(cloudRequest(provider, model, overrides));
    return provider.type === "test" ? scripted.open(provider, model) : local.open(model, provider.settings);
  }

  function target(specifier: string, overrides: ModelOverrides = {}): { provider: Provider; model: string } {
    const spec = parseSpecifier(specifier, overrides.provider);
    const provider = chosen(spec);
    table.assertUsable(provider, overrides);
    const { model, backend } = spec.model === "" ? defaultModel(provider) : spec;
    refuseBackend(provider, spec.backend ?? backend);
    return { provider, model };
  }

  return {
    resolve: (specifier, overrides = {}) =>
      openChain(specifier, overrides, {
        open,
        fallbackOf: () => chosen(parseSpecifier(specifier, overrides.provider)).settings.fallback,
        log,
      }),

    async resolveEmbedding(specifier, overrides): Promise<EmbeddingModelV4> {
      const { provider, model } = target(specifier, overrides);
      return observedEmbedding(
        provider.type === "test"
          ? await scripted.openEmbedding(provider.key, model)
          : isCloud(provider)
            ? await (await cloud()).openCloudEmbedding(cloudRequest(provider, model, overrides))
            : await local.openEmbedding(model, provider.settings),
      );
    },

    async resolveReranking(specifier, overrides): Promise<RerankingModelV4> {
      const { provider, model } = target(specifier, overrides);
      if (provider.type !== "test")
        return observedReranking(await local.openReranking(model, provider.settings));
      throw new SpellError("config", `Cannot rank with provider '${provider.key}': it has no such models`, {
        hint: "Name a local cross-encoder, for example of the bge-reranker family",
      });
    },

    providers: () => table.list(),

    provider(name) {
      const found = table.find(name);
      return found === undefined ? undefined : table.info(found);
    },

    providerProblem: (key) => table.problem(table.require(key)),

    async examineProvider(key) {
      const provider = table.require(key);
      const { default_model: model } = provider.settings;
      const problem = table.problem(provider);
      if (problem !== undefined || provider.type !== "llamacpp" || !model) return problem;
      try {
        await local.info(parseSpecifier(model, provider.key).model, provider.settings);
        return undefined;
      } catch (error) {
        if (error instanceof SpellError) return error.message;
        throw error;
      }
    },

    async list(backend): Promise<LocalModel[]> {
      if (backend !== undefined && backend !== "all" && parseBackend(backend) !== "llamacpp") return [];
      return local.list(localSettings());
    },

    async info(model) {
      const { id, backend } = localId(model);
      if (backend === "ollama") throw notFound(model);
      return local.info(id, localSettings());
    },

    async status(backend) {
      if (backend !== undefined && backend !== "all") return [await backendStatus(parseBackend(backend))];
      const ollama = table.find("ollama") === undefined ? [] : [await backendStatus("ollama")];
      return [await backendStatus("llamacpp"), ...ollama];
    },

    import(path, { onEvent, ...options }) {
      const onProgress = (label: string, done: number, total?: number) =>
        onEvent?.({ type: "progress", label, done, ...(total === undefined ? {} : { total }) });
      return local.import(path, { ...options, onProgress }, localSettings());
    },

    async pull(model, options) {
      const { id, backend } = localId(model);
      const ollama = table.find("ollama");
      if (backend === "ollama" || (backend === undefined && ollama !== undefined)) {
        if (ollama !== undefined)
          throw new SpellError("config", `Backend 'ollama': ${table.problem(ollama)}`);
        throw new SpellError("config", "Backend 'ollama' not configured", {
          hint: `Pull it into llmspell's own store: llmspell model pull ${id}@llamacpp`,
        });
      }
      const { hubsOf } = await import("./hub/settings.ts");
      const settings = localSettings();
      return local.pull(id, { ...options, hubs: hubsOf(config.current, settings, env, log) }, settings);
    },

    async available(query, signal) {
      const { findAvailable, recommended } = await import("./hub/available.ts");
      const settings = localSettings();
      const stored = await local.stored(settings);
      if (query === undefined) return recommended(stored);
      const { hubsOf } = await import("./hub/settings.ts");
      return findAvailable(query, hubsOf(config.current, settings, env, log), stored, signal);
    },

    export(model, path, { onEvent, ...options }) {
      const onProgress = (label: string, done: number, total: number) =>
        onEvent?.({ type: "progress", label, done, total });
      return local.export(localId(model).id, path, { ...options, onProgress }, localSettings());
    },

    downloads: () => local.downloads(localSettings()),

    unload: (model) => local.unload(localId(model).id, localSettings()),

    async remove(model) {
      const { id, backend } = localId(model);
      if (backend === "ollama") throw notFound(model);
      await local.remove(id, localSettings());
    },

    machine: (signal) => local.machine(localSettings(), signal),

    dispose: () => local.dispose(),
  };
}

function defaultModel({ key, settings }: Provider): ModelSpecifier {
  if (settings.default_model) return parseSpecifier(settings.default_model, key);
  throw new SpellError("config", `Model not specified for provider '${key}'`, {
    data: { provider: key },
    hint: `Name a model as ${key}/MODEL, or set default_model in [providers.${key}]`,
  });
}

function refuseBackend({ key, type }: Provider, backend: Backend | undefined): void {
  if (backend === undefined || backend === type) return;
  if (type !== "llamacpp") {
    throw new SpellError("invalid_argument", `Provider '${key}' takes no backend: @${backend}`, {
      hint: "Only local models have one: local/MODEL@llamacpp",
    });
  }
  throw new SpellError("config", `Cannot use @${backend}: this build runs local models with llamacpp only`, {
    hint: "Leave out the backend, or write @llamacpp",
  });
}

function notFound(model: string): SpellError {
  return new SpellError("not_found", `Model '${model}' not found in any backend`, {
    hint: "This build runs local models with llamacpp only; `llmspell model list` shows them",
  });
}
