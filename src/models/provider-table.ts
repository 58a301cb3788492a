/** The providers of the configuration: names, look-up, keys, and what is wrong with each. */
import { LLAMACPP_DEFAULTS, providerType } from "../config/provider-types.ts";
import { type ProviderConfig, providerEntries, providerOf } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { ConfigService } from "../kernel/services.ts";
import { type ApiKey, findApiKey, type KeyPlaces, keyVariables, storedKey } from "./api-key.ts";
import { AVAILABLE_TYPES, canonicalType, KNOWN_TYPES, typeFacts } from "./provider-types.ts";
import { contextTokensOf, seesImages } from "./providers/cloud/known-models.ts";
import { EMBEDDED_MODEL, type ProviderInfo } from "./service.ts";

/** Key of the provider that is there without configuration: local models on the built-in engine. */
export const LOCAL = "local";

export interface Provider {
  readonly key: string;
  /** Canonical `provider_type`. */
  readonly type: string;
  readonly settings: ProviderConfig;
}

export class ProviderTable {
  constructor(
    private readonly config: ConfigService,
    private readonly places: KeyPlaces,
  ) {}

  /** Configured or with a stored key, and enabled; the default first, then by name. */
  list(): ProviderInfo[] {
    return this.keys()
      .map((key) => this.provider(key)!)
      .filter(({ settings }) => settings.enabled)
      .map((provider) => this.info(provider))
      .sort((a, b) => Number(b.isDefault) - Number(a.isDefault) || (a.key < b.key ? -1 : 1));
  }

  info({ key, type, settings }: Provider): ProviderInfo {
    const known = typeFacts(type);
    const model = settings.default_model;
    const contextTokens =
      settings.context_size ?? (model === undefined ? undefined : contextTokensOf(type, model));
    return {
      name: [known?.factory ?? type, key, ...(model === undefined ? [] : [model])].join("/"),
      key,
      providerType: type,
      enabled: settings.enabled,
      isDefault: (this.config.current.providers.default_provider ?? LOCAL) === key,
      defaultModel: model,
      baseUrl: settings.base_url,
      keySource: this.apiKey({ key, type, settings })?.source,
      capabilities: {
        supportsStreaming: true,
        supportsMultimodal: model !== undefined && (seesImages(type, model) ?? false),
        ...(contextTokens === undefined ? {} : { maxContextTokens: contextTokens }),
        ...(model === undefined ? {} : { availableModels: [model] }),
      },
    };
  }

  apiKey({ key, type, settings }: Provider): ApiKey | undefined {
    return findApiKey(key, settings, type, this.places);
  }

  /** The provider under exactly this key; `local`, local engines and vendors with a stored key need no table. */
  provider(key: string): Provider | undefined {
    const settings = providerOf(this.config.current, key);
    if (settings !== undefined) return { key, type: canonicalType(settings.provider_type || key), settings };
    const type = canonicalType(key);
    if (key === LOCAL || type === "llamacpp")
      return { key, type: "llamacpp", settings: this.localSettings() };
    const model = providerType(type)?.defaultModel;
    if (model === undefined || this.places.store.find(type) === undefined) return undefined;
    return { key, type, settings: { provider_type: type, enabled: true, default_model: model } };
  }

  /** The settings of local models: those of the first enabled llamacpp provider, else the defaults. */
  private localSettings(): ProviderConfig {
    const found = this.enabledOfType("llamacpp")?.settings;
    return (
      found ?? {
        ...LLAMACPP_DEFAULTS,
        provider_type: "llamacpp",
        enabled: true,
        default_model: EMBEDDED_MODEL,
      }
    );
  }

  private enabledOfType(type: string): Provider | undefined {
    const fitting = providerEntries(this.config.current)
      .filter(([, settings]) => settings.enabled)
      .map(([key]) => this.provider(key)!)
      .filter((provider) => provider.type === type);
    return fitting.find(({ key }) => key === this.config.current.providers.default_provider) ?? fitting[0];
  }

  /**
   * Look-up by key, by full name (`factory/provider/model`, the factory being of no matter), then by type.
   * @throws not_found with the nearest names
   */
  require(name: string): Provider {
    const found = this.find(name);
    if (found !== undefined) return found;
    const type = canonicalType(name);
    if (typeFacts(type) !== undefined) {
      throw new SpellError("config", this.missingType(name, type), {
        data: { provider: name },
        hint: this.missingHint(name, type),
      });
    }
    throw new SpellError("not_found", `Unknown provider: "${name}"`, {
      data: { provider: name },
      hint: didYouMean(name, [...this.keys(), LOCAL, ...KNOWN_TYPES]) ?? this.available(),
    });
  }

  find(name: string): Provider | undefined {
    const exact = this.provider(name);
    if (exact !== undefined) return exact;
    const [, key, ...model] = name.split("/");
    const named = key === undefined ? undefined : this.provider(key);
    if (
      named !== undefined &&
      [undefined, named.settings.default_model].includes(model.join("/") || undefined)
    )
      return named;
    return this.enabledOfType(canonicalType(name));
  }

  /** The provider for model names that give none. @throws config for a default that does not exist */
  defaultProvider(): Provider {
    const name = this.config.current.providers.default_provider;
    if (name === undefined) return this.provider(LOCAL)!;
    const provider = this.provider(name);
    if (provider !== undefined) return provider;
    throw new SpellError("config", `Default provider '${name}' not found in configuration`, {
      data: { provider: name },
      hint: didYouMean(name, this.keys()) ?? this.available(),
    });
  }

  /** Why a provider cannot be used; undefined where it can. Asks no network. */
  problem(provider: Provider): string | undefined {
    return this.trouble(provider)?.problem;
  }

  /** @throws config with `problem`'s text */
  assertUsable(provider: Provider, given: { apiKey?: string; baseUrl?: string } = {}): void {
    const settings = {
      ...provider.settings,
      ...(given.apiKey === undefined ? {} : { api_key: given.apiKey }),
      ...(given.baseUrl === undefined ? {} : { base_url: given.baseUrl }),
    };
    const trouble = this.trouble({ ...provider, settings });
    if (trouble === undefined) return;
    const { key, type } = provider;
    throw new SpellError("config", trouble.problem, {
      data: { provider: key, providerType: type, variables: keyVariables(key, settings, type) },
      hint: trouble.hint,
    });
  }

  private trouble({ key, type, settings }: Provider): { problem: string; hint: string } | undefined {
    const known = typeFacts(type);
    if (!settings.enabled)
      return { problem: `Provider '${key}' is disabled`, hint: `Set enabled = true in [providers.${key}]` };
    if (!known?.available) {
      const isKnown = known !== undefined;
      return {
        problem: isKnown
          ? `Provider '${key}' has type ${type}, which this build cannot talk to`
          : `Unsupported provider type: ${type}`,
        hint: `This build has the provider types ${AVAILABLE_TYPES.join(", ")}; "custom" is any OpenAI-compatible service`,
      };
    }
    if (type === "custom" && !settings.base_url)
      return {
        problem: `Provider '${key}' is not configured: it has no base_url`,
        hint: `Set base_url in [providers.${key}], for example "http://localhost:8080/v1"`,
      };
    const variable = settings.api_key_env ?? providerType(type)?.keyVariables[0];
    if (variable === undefined || this.apiKey({ key, type, settings }) !== undefined) return undefined;
    const stored = storedKey(key, type, this.places.store);
    const reason =
      stored === undefined
        ? `environment variable ${variable} is not set`
        : `its stored key expired on ${stored.expiresAt}`;
    return {
      problem: `Provider '${key}' is not configured: ${reason}`,
      hint: `Set ${variable}, or store a key: llmspell keys add ${key} KEY; local/spell-mini needs none`,
    };
  }

  private missingHint(name: string, type: string): string {
    const variable = providerType(type)?.keyVariables[0];
    if (variable === undefined || this.places.env[variable])
      return `Add a [providers.${name}] table to the configuration, or use local/spell-mini, which needs none`;
    return `Set ${variable}, or store the key with \`llmspell keys add ${type}\`; local/spell-mini needs none`;
  }

  private missingType(name: string, type: string): string {
    const variable = providerType(type)?.keyVariables[0];
    if (variable === undefined || this.places.env[variable]) return `Provider '${name}' is not configured`;
    return `Provider '${name}' is not configured: environment variable ${variable} is not set`;
  }

  private keys(): string[] {
    const configured = providerEntries(this.config.current).map(([key]) => key);
    const types = new Set(configured.map((key) => this.provider(key)!.type));
    const stored = this.places.store.list().map(({ provider }) => provider);
    // A stored key under a vendor's name serves the providers of that type; alone it makes one.
    return [
      ...configured,
      ...stored.filter(
        (name) => !types.has(name) && !configured.includes(name) && this.provider(name) !== undefined,
      ),
    ];
  }

  private available(): string {
    return `There are: ${[...new Set([...this.keys(), LOCAL])].join(", ")}`;
  }
}
