/** The models service: providers of the configuration, local models, and the model behind a specifier. */
import type { EmbeddingModelV4, RerankingModelV4 } from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { ConfigService } from "../kernel/services.ts";
import type { KeyStore } from "../security/keys/store.ts";
import { withDefaults } from "./call-defaults.ts";
import type { LlamaServers } from "./llama-server/servers.ts";
import { LocalModels } from "./local.ts";
import { LocalBackends } from "./local-backends.ts";
import { observedEmbedding, observedReranking } from "./observe.ts";
import { openChain } from "./open-chain.ts";
import { LOCAL, type Provider, ProviderTable } from "./provider-table.ts";
import { isCloud } from "./provider-types.ts";
import { TestModels } from "./providers/test/models.ts";
import type { ModelOverrides, ModelService, ModelSpecifier, SpellModel } from "./service.ts";
import { parseSpecifier } from "./specifier.ts";

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
  const backends = new LocalBackends({ table, local, config, env, log });

  function chosen({ provider, backend }: ModelSpecifier): Provider {
    if (provider !== undefined) return backends.require(provider);
    return backend !== undefined ? table.require(LOCAL) : table.defaultProvider();
  }

  const cloud = () => import("./providers/cloud/open.ts");
  const cloudRequest = (provider: Provider, modelId: string, overrides: ModelOverrides = {}) => ({
    ...{ provider, modelId, overrides, env, log },
    apiKey: table.apiKey(provider),
    config: () => config.current,
  });

  let servers: LlamaServers | undefined;

  /** A model of llama.cpp: of a server, where the provider names one, else of the built-in engine. */
  async function openLocal(
    model: string,
    provider: Provider,
    overrides: ModelOverrides,
  ): Promise<SpellModel> {
    const { server_url, server_binary } = provider.settings;
    if (!server_url && !server_binary) return local.open(model, provider.settings);
    const { atServer, LlamaServers } = await import("./llama-server/servers.ts");
    const request = cloudRequest(provider, model, overrides);
    if (server_url) return (await cloud()).openCloud(atServer(request, server_url));
    servers ??= new LlamaServers({ config: () => config.current, env, log });
    return servers.open(request, await local.file(model, provider.settings));
  }

  async function openAt(provider: Provider, model: string, overrides: ModelOverrides): Promise<SpellModel> {
    if (provider.type === "ollama") return backends.open(model, provider, overrides);
    if (isCloud(provider)) return (await cloud()).openCloud(cloudRequest(provider, model, overrides));
    return provider.type === "test" ? scripted.open(provider, model) : openLocal(model, provider, overrides);
  }

  async function open(specifier: string, overrides: ModelOverrides): Promise<SpellModel> {
    const { provider, model } = await target(specifier, overrides);
    return withDefaults(await openAt(provider, model, overrides), provider.settings);
  }

  async function target(
    specifier: string,
    overrides: ModelOverrides = {},
  ): Promise<{ provider: Provider; model: string }> {
    const spec = parseSpecifier(specifier, overrides.provider);
    const provider = chosen(spec);
    table.assertUsable(provider, overrides);
    const { model, backend } = spec.model === "" ? defaultModel(provider) : spec;
    return { provider: await backends.place(provider, model, spec.backend ?? backend), model };
  }

  return {
    resolve: (specifier, overrides = {}) =>
      openChain(specifier, overrides, {
        open,
        fallbackOf: () => chosen(parseSpecifier(specifier, overrides.provider)).settings.fallback,
        log,
      }),

    async resolveEmbedding(specifier, overrides): Promise<EmbeddingModelV4> {
      const { provider, model } = await target(specifier, overrides);
      if (provider.type === "ollama")
        return observedEmbedding(await backends.openEmbedding(model, provider, overrides));
      const { server_url } = provider.settings;
      if (provider.type === "llamacpp" && server_url) {
        const { atServer } = await import("./llama-server/servers.ts");
        const request = atServer(cloudRequest(provider, model, overrides), server_url);
        return observedEmbedding(await (await cloud()).openCloudEmbedding(request));
      }
      return observedEmbedding(
        provider.type === "test"
          ? await scripted.openEmbedding(provider.key, model)
          : isCloud(provider)
            ? await (await cloud()).openCloudEmbedding(cloudRequest(provider, model, overrides))
            : await local.openEmbedding(model, provider.settings),
      );
    },

    async resolveReranking(specifier, overrides): Promise<RerankingModelV4> {
      const { provider, model } = await target(specifier, overrides);
      if (provider.type === "llamacpp")
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

    list: (backend) => backends.list(backend),

    info: (model) => backends.info(model),

    status: (backend) => backends.status(backend),

    import(path, { onEvent, ...options }) {
      const onProgress = (label: string, done: number, total?: number) =>
        onEvent?.({ type: "progress", label, done, ...(total === undefined ? {} : { total }) });
      return local.import(path, { ...options, onProgress }, backends.settings);
    },

    pull: (model, options) => backends.pull(model, options),

    available: (query, options) => backends.available(query, options),

    installOllama: (options) => backends.install(options),

    export(model, path, { onEvent, ...options }) {
      const onProgress = (label: string, done: number, total: number) =>
        onEvent?.({ type: "progress", label, done, total });
      return local.export(backends.exportable(model), path, { ...options, onProgress }, backends.settings);
    },

    downloads: () => local.downloads(backends.settings),

    unload: (model) => backends.unload(model),

    remove: (model) => backends.remove(model),

    machine: (signal) => local.machine(backends.settings, signal),

    async dispose() {
      await servers?.dispose();
      await backends.dispose();
    },
  };
}

function defaultModel({ key, settings }: Provider): ModelSpecifier {
  if (settings.default_model) return parseSpecifier(settings.default_model, key);
  throw new SpellError("config", `Model not specified for provider '${key}'`, {
    data: { provider: key },
    hint: `Name a model as ${key}/MODEL, or set default_model in [providers.${key}]`,
  });
}
