/** Ollama's side of the models service. One server for each address and setting that is used. */
import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import type { Config, ProviderConfig } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { networkRules } from "../../security/network/rules.ts";
import type { AvailableModel } from "../hub/available.ts";
import type { PullProgress } from "../hub/pull.ts";
import type { Provider } from "../provider-table.ts";
import type {
  BackendStatus,
  LocalModel,
  LocalModelInfo,
  ModelOverrides,
  ModelService,
  PullRequest,
  SpellModel,
} from "../service.ts";
import { recommendedByOllama } from "./catalogue.ts";
import type { Request } from "./connection.ts";
import { tooOld } from "./failures.ts";
import { createOllamaModel } from "./model.ts";
import { MINIMUM_VERSION, OllamaServer } from "./server.ts";
import { ollamaSettings } from "./settings.ts";
import { canonicalName, modelInfo } from "./shapes.ts";

interface Surroundings {
  config: { readonly current: Config };
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
}

export class OllamaModels {
  private readonly servers = new Map<string, OllamaServer>();

  constructor(private readonly around: Surroundings) {}

  /** Asks nothing. @throws config */
  open(model: string, { key, settings }: Provider, overrides: ModelOverrides): SpellModel {
    return createOllamaModel(this.server(settings, overrides), key, model);
  }

  /** Asks nothing. @throws config */
  async openEmbedding(
    model: string,
    { key, settings }: Provider,
    overrides: ModelOverrides,
  ): Promise<EmbeddingModelV4> {
    const { createOllamaEmbeddingModel } = await import("./embedding-model.ts");
    return createOllamaEmbeddingModel(this.server(settings, overrides), key, model);
  }

  /** Its models; undefined where it does not answer, or not as it should. */
  async listIfRunning(provider: ProviderConfig): Promise<LocalModel[] | undefined> {
    try {
      return await this.list(provider);
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      this.around.log.debug("model", "Ollama is passed over", { reason: error.message });
      return undefined;
    }
  }

  /** @throws network (not running), provider */
  async list(provider: ProviderConfig): Promise<LocalModel[]> {
    const server = this.server(provider);
    const health = await server.health();
    if (!health.running) throw health.error;
    return server.models(undefined);
  }

  /** Never throws for a server that is not there, or says what it should not. */
  async status(provider: ProviderConfig): Promise<BackendStatus> {
    const server = this.server(provider);
    const absent = (error: SpellError): BackendStatus => ({
      backend: "ollama",
      running: false,
      availableModels: 0,
      reason: error.message,
    });
    const health = await server.health();
    if (!health.running) return absent(health.error);
    try {
      const [models, running] = await Promise.all([server.models(undefined), server.running(undefined)]);
      const { version } = health;
      const isOld =
        version !== undefined && !version.startsWith("0.0.0") && isBelow(version, MINIMUM_VERSION);
      const asking = server.connection.asking({ what: "Cannot use Ollama", signal: undefined });
      return {
        backend: "ollama",
        running: true,
        availableModels: models.length,
        loadedModels: running.map(({ id }) => id),
        ...(version === undefined ? {} : { version }),
        ...(isOld ? { reason: tooOld(asking, version, MINIMUM_VERSION).message } : {}),
      };
    } catch (error) {
      if (error instanceof SpellError) return absent(error);
      throw error;
    }
  }

  /** Whether it is there and has the model. Asks nothing more of a server that is not there. */
  async has(model: string, provider: ProviderConfig): Promise<boolean> {
    return this.find((await this.listIfRunning(provider)) ?? [], model) !== undefined;
  }

  /** The model of that name, as Ollama compares names. */
  find(models: readonly LocalModel[], name: string): LocalModel | undefined {
    return models.find(({ id }) => canonicalName(id) === canonicalName(name));
  }

  /** Where it is asked. */
  address(provider: ProviderConfig): string {
    return this.server(provider).settings.baseUrl;
  }

  /** @throws not_found, network, provider */
  async info(model: string, provider: ProviderConfig): Promise<LocalModelInfo> {
    const server = this.server(provider);
    const request: Request = { what: "Cannot show the model", model, signal: undefined };
    const found = this.find(await this.list(provider), model);
    const facts = await server.show(model, request);
    return modelInfo(
      found ?? { id: model, backend: "ollama", sizeBytes: 0 },
      facts,
      await server.isRunning(model, undefined),
    );
  }

  /** @throws not_found, network, timeout, provider, io, invalid_argument */
  async pull(model: string, provider: ProviderConfig, options: PullRequest): Promise<PullProgress> {
    const { pullWithOllama } = await import("./pull.ts");
    const pulled = await pullWithOllama(this.server(provider), model, options);
    this.around.log.info("model", "model pulled by Ollama", { model: pulled.modelId });
    return pulled;
  }

  /** @throws not_found, network, provider */
  async remove(model: string, provider: ProviderConfig): Promise<void> {
    const server = this.server(provider);
    const client = await server.connection.client({
      what: "Cannot remove the model",
      model,
      signal: undefined,
    });
    await client.delete({ model });
    server.forget(model);
    this.around.log.info("model", "model removed from Ollama", { model });
  }

  /** @returns whether it was in memory @throws not_found, network, provider */
  async unload(model: string, provider: ProviderConfig): Promise<boolean> {
    const server = this.server(provider);
    const request: Request = { what: "Cannot unload the model", model, signal: undefined };
    await server.show(model, request);
    if (!(await server.isRunning(model, undefined))) return false;
    await (await server.connection.client(request)).chat({
      model,
      messages: [],
      stream: false,
      keep_alive: 0,
    });
    return true;
  }

  /** @param provider undefined where Ollama is not configured: nobody is asked what is installed */
  async available(
    query: string | undefined,
    provider: ProviderConfig | undefined,
  ): Promise<AvailableModel[]> {
    const models = provider === undefined ? undefined : await this.listIfRunning(provider);
    const installed = new Set(models?.map(({ id }) => canonicalName(id)));
    return recommendedByOllama(query, (id) => installed.has(canonicalName(id)));
  }

  /** @throws what src/models/ollama/install.ts throws */
  async install(
    provider: ProviderConfig,
    options: Parameters<ModelService["installOllama"]>[0],
  ): Promise<string | undefined> {
    const { INSTALLER_URL, installOllama } = await import("./install.ts");
    const { config, env } = this.around;
    const own = provider.installer_url;
    const { onEvent, signal } = options;
    return installOllama({
      url: own ?? INSTALLER_URL,
      rules: networkRules(config.current, own === undefined ? [] : [own]),
      env,
      platform: process.platform,
      signal,
      onLine: (text) => onEvent?.({ type: "stream", stream: "stderr", text: `${text}\n` }),
    });
  }

  /** Ends the servers that were started here. */
  async dispose(): Promise<void> {
    await Promise.all([...this.servers.values()].map((server) => server.dispose()));
  }

  private server(provider: ProviderConfig, overrides: ModelOverrides = {}): OllamaServer {
    const { config, env, log } = this.around;
    const settings = ollamaSettings(provider, overrides, { config: config.current, env, log });
    const { baseUrl, apiKey, maxRetries } = overrides;
    const key = JSON.stringify([provider, baseUrl, apiKey, maxRetries]);
    const known = this.servers.get(key) ?? new OllamaServer(settings);
    this.servers.set(key, known);
    return known;
  }
}

const isBelow = (version: string, minimum: string): boolean => Bun.semver.order(version, minimum) < 0;
