/**
 * The two backends of local models, the built-in engine and Ollama: which one runs a model, and what users ask of both.
 * Ollama is asked where it is configured, where `@ollama` names it, and for a `local/` model that is in no store of ours.
 */
import type { EmbeddingModelV4 } from "@ai-sdk/provider";
import type { ProviderConfig } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { ConfigService } from "../kernel/services.ts";
import type { AvailableModel } from "./hub/available.ts";
import type { PullProgress } from "./hub/pull.ts";
import { isEmbedded, type LocalModels } from "./local.ts";
import type { OllamaModels } from "./ollama/models.ts";
import { LOCAL, type Provider, type ProviderTable } from "./provider-table.ts";
import { canonicalType } from "./provider-types.ts";
import type {
  AvailableOptions,
  Backend,
  BackendStatus,
  LocalModel,
  LocalModelInfo,
  ModelOverrides,
  ModelService,
  PullRequest,
  SpellModel,
} from "./service.ts";
import { emptySpecifier, formatSpecifier, parseBackend, parseSpecifier } from "./specifier.ts";

interface Surroundings {
  table: ProviderTable;
  local: LocalModels;
  config: ConfigService;
  env: Record<string, string | undefined>;
  log: Log;
}

const OLLAMA = "ollama";
/** How a server is asked that no table of the configuration describes. */
const UNCONFIGURED: Provider = {
  key: OLLAMA,
  type: OLLAMA,
  settings: { provider_type: OLLAMA, enabled: true },
};

export class LocalBackends {
  private ollama: Promise<OllamaModels> | undefined;

  constructor(private readonly around: Surroundings) {}

  /** The provider that runs a model of `provider`. @throws invalid_argument, config, and not_found for an unknown backend */
  async place(provider: Provider, model: string, backend: Backend | undefined): Promise<Provider> {
    const isLocal = provider.type === "llamacpp" || (provider.key === LOCAL && provider.type === OLLAMA);
    if (!isLocal) {
      refuseBackend(provider, backend);
      return provider;
    }
    const isGeneral = provider.key === LOCAL && provider.type === "llamacpp";
    const chosen = backend ?? (isGeneral ? await this.choose(model, provider.settings) : provider.type);
    if (chosen === provider.type) return provider;
    return chosen === OLLAMA ? this.named() : this.around.table.require("llamacpp");
  }

  /** The provider of that name; Ollama needs no table. @throws not_found, config */
  require(name: string): Provider {
    const { table } = this.around;
    const found = table.find(name);
    return found === undefined && canonicalType(name) === OLLAMA
      ? UNCONFIGURED
      : (found ?? table.require(name));
  }

  /** Ollama, for a script that names it. @throws config where it is disabled */
  private named(): Provider {
    const provider = this.configured ?? UNCONFIGURED;
    this.around.table.assertUsable(provider);
    return provider;
  }

  /** Our own store never asks a network, unless the configuration prefers Ollama. */
  private async choose(model: string, settings: ProviderConfig): Promise<Backend> {
    if (isEmbedded(model) || settings.server_url) return "llamacpp";
    const preferred = settings.default_backend ?? this.usable?.settings.default_backend;
    if (preferred !== undefined) return parseBackend(preferred);
    const absence = await this.around.local.absence(model, settings);
    const provider = this.configured === undefined ? UNCONFIGURED : this.usable;
    if (absence === undefined || provider === undefined) return "llamacpp";
    const ollama = await this.models();
    const models = await ollama.listIfRunning(provider.settings);
    if (models !== undefined && ollama.find(models, model) !== undefined) return OLLAMA;
    const { code, message, data, hint } = absence;
    const state = models === undefined ? "does not answer" : "does not have it either";
    throw new SpellError(code, message, {
      data,
      hint: `${hint}. Ollama ${state}: ${ollama.address(provider.settings)}`,
    });
  }

  async open(model: string, provider: Provider, overrides: ModelOverrides = {}): Promise<SpellModel> {
    return (await this.models()).open(model, provider, overrides);
  }

  async openEmbedding(
    model: string,
    provider: Provider,
    overrides: ModelOverrides = {},
  ): Promise<EmbeddingModelV4> {
    return (await this.models()).openEmbedding(model, provider, overrides);
  }

  /** A local model's name may carry `local/` or `ollama/`, and `@backend`. */
  id(model: string): { id: string; backend: Backend | undefined } {
    const spec = parseSpecifier(model);
    const type = spec.provider === undefined ? undefined : this.around.table.find(spec.provider)?.type;
    if (spec.model === "") throw emptySpecifier();
    if (type === "llamacpp") return { id: spec.model, backend: spec.backend };
    if (type === OLLAMA) return { id: spec.model, backend: spec.backend ?? OLLAMA };
    return { id: formatSpecifier({ ...spec, backend: undefined }), backend: spec.backend };
  }

  async list(backend: string | undefined): Promise<LocalModel[]> {
    const wanted = backend === undefined || backend === "all" ? undefined : parseBackend(backend);
    const own = wanted === OLLAMA ? [] : await this.around.local.list(this.settings);
    const { usable } = this;
    if (wanted === "llamacpp" || usable === undefined) return own;
    const ollama = await this.models();
    if (wanted === OLLAMA) return ollama.list(usable.settings);
    return [...own, ...((await ollama.listIfRunning(usable.settings)) ?? [])];
  }

  async info(model: string): Promise<LocalModelInfo> {
    const { id, backend } = this.id(model);
    const { usable } = this;
    const isOllamas =
      backend === OLLAMA ||
      (backend === undefined &&
        usable !== undefined &&
        !isEmbedded(id) &&
        (await (await this.models()).has(id, usable.settings)));
    if (!isOllamas) return this.around.local.info(id, this.settings);
    if (usable === undefined)
      throw notFound(model, "Ollama is not configured; `llmspell model list` shows what is there");
    try {
      return await (await this.models()).info(id, usable.settings);
    } catch (error) {
      if (error instanceof SpellError && error.code === "not_found") throw notFound(model, error.hint);
      throw error;
    }
  }

  async status(backend: string | undefined): Promise<BackendStatus[]> {
    if (backend !== undefined && backend !== "all") return [await this.statusOf(parseBackend(backend))];
    const ollama = this.configured === undefined ? [] : [await this.statusOf(OLLAMA)];
    return [await this.statusOf("llamacpp"), ...ollama];
  }

  private async statusOf(backend: Backend): Promise<BackendStatus> {
    if (backend === "llamacpp") {
      const models = await this.around.local.list(this.settings);
      return { backend, running: true, availableModels: models.length };
    }
    const { configured, usable } = this;
    if (usable !== undefined) return (await this.models()).status(usable.settings);
    const reason = configured === undefined ? "Not configured" : this.around.table.problem(configured)!;
    return { backend, running: false, availableModels: 0, reason };
  }

  async pull(model: string, options: PullRequest): Promise<PullProgress> {
    const { id, backend } = this.id(model);
    const { local, config, env, log } = this.around;
    if (backend === OLLAMA || (backend === undefined && this.usable !== undefined))
      return (await this.models()).pull(id, this.required(id).settings, options);
    const { hubsOf } = await import("./hub/settings.ts");
    return local.pull(
      id,
      { ...options, hubs: hubsOf(config.current, this.settings, env, log) },
      this.settings,
    );
  }

  async available(
    query: string | undefined,
    { backend, signal }: AvailableOptions = {},
  ): Promise<AvailableModel[]> {
    const wanted = backend === undefined || backend === "all" ? undefined : parseBackend(backend);
    const own = wanted === OLLAMA ? [] : await this.availableOwn(query, signal);
    const { usable } = this;
    if (wanted === "llamacpp" || (wanted === undefined && usable === undefined)) return own;
    return [...own, ...(await (await this.models()).available(query, usable?.settings))];
  }

  private async availableOwn(
    query: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AvailableModel[]> {
    const { local, config, env, log } = this.around;
    const { findAvailable, recommended } = await import("./hub/available.ts");
    const stored = await local.stored(this.settings);
    if (query === undefined) return recommended(stored);
    const { hubsOf } = await import("./hub/settings.ts");
    return findAvailable(query, hubsOf(config.current, this.settings, env, log), stored, signal);
  }

  async unload(model: string): Promise<boolean> {
    const { id, backend } = this.id(model);
    if ((await this.backendOf(id, backend)) === "llamacpp")
      return this.around.local.unload(id, this.settings);
    return (await this.models()).unload(id, this.required(id).settings);
  }

  async remove(model: string): Promise<void> {
    const { id, backend } = this.id(model);
    if ((await this.backendOf(id, backend)) === "llamacpp")
      return this.around.local.remove(id, this.settings);
    return (await this.models()).remove(id, this.required(id).settings);
  }

  /** @throws invalid_argument for a model that Ollama keeps */
  exportable(model: string): string {
    const { id, backend } = this.id(model);
    if (backend !== OLLAMA) return id;
    throw new SpellError("invalid_argument", `Cannot export model '${id}': Ollama keeps it`, {
      hint: `Take it into llmspell's own store first: llmspell model import ~/.ollama/models --model ${id}`,
    });
  }

  async install(options: Parameters<ModelService["installOllama"]>[0]): Promise<string | undefined> {
    return (await this.models()).install((this.configured ?? UNCONFIGURED).settings, options);
  }

  async dispose(): Promise<void> {
    if (this.ollama !== undefined) await (await this.ollama).dispose();
    await this.around.local.dispose();
  }

  private models(): Promise<OllamaModels> {
    const { config, env, log } = this.around;
    this.ollama ??= import("./ollama/models.ts").then(
      ({ OllamaModels }) => new OllamaModels({ config, env, log }),
    );
    return this.ollama;
  }

  /** Settings of the built-in engine. */
  get settings(): ProviderConfig {
    const local = this.around.table.require(LOCAL);
    return (local.type === "llamacpp" ? local : this.around.table.require("llamacpp")).settings;
  }

  private get configured(): Provider | undefined {
    const found = this.around.table.find(OLLAMA);
    return found?.type === OLLAMA ? found : undefined;
  }

  /** Configured and enabled. */
  private get usable(): Provider | undefined {
    const { configured } = this;
    return configured !== undefined && this.around.table.problem(configured) === undefined
      ? configured
      : undefined;
  }

  /** Ollama, to be managed. @throws config where the configuration does not name it, or disables it */
  private required(id: string): Provider {
    const { configured } = this;
    if (configured === undefined)
      throw new SpellError("config", "Backend 'ollama' not configured", {
        hint: `Use the profile: llmspell -p ollama …; or pull it into llmspell's own store: llmspell model pull ${id}@llamacpp`,
      });
    this.around.table.assertUsable(configured);
    return configured;
  }

  /** The backend that has a model. @throws invalid_argument where both have it */
  private async backendOf(id: string, backend: Backend | undefined): Promise<Backend> {
    if (backend !== undefined) return backend;
    const { usable } = this;
    if (usable === undefined || isEmbedded(id)) return "llamacpp";
    if (!(await (await this.models()).has(id, usable.settings))) return "llamacpp";
    if ((await this.around.local.absence(id, this.settings)) !== undefined) return OLLAMA;
    throw new SpellError(
      "invalid_argument",
      `Cannot tell which model is meant: Ollama and llmspell's own store have it: ${id}`,
      { data: { model: id }, hint: `Write ${id}@ollama or ${id}@llamacpp` },
    );
  }
}

function refuseBackend({ key, type }: Provider, backend: Backend | undefined): void {
  if (backend === undefined || backend === type) return;
  throw new SpellError("invalid_argument", `Provider '${key}' takes no backend: @${backend}`, {
    hint: "Only local models have one: local/MODEL@llamacpp, local/MODEL@ollama",
  });
}

function notFound(model: string, hint: string | undefined): SpellError {
  return new SpellError(
    "not_found",
    `Model '${model}' not found in any backend`,
    hint === undefined ? {} : { hint },
  );
}
