/** The providers of the configuration: names, look-up, keys, and what is wrong with each. */
import { LLAMACPP_DEFAULTS, providerType } from "../config/provider-types.ts";
import { type ProviderConfig, providerEntries, providerOf } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import type { ConfigService } from "../kernel/services.ts";
import { type ApiKey, findApiKey, type KeyPlaces, keyVariables, storedKey } from "./api-key.ts";
import { AVAILABLE_TYPES, canonicalType, KNOWN_TYPES, typeFacts } from "./provider-types.ts";
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
        supportsMultimodal: known?.supportsMultimodal ?? false,
        ...(settings.context_size === undefined ? {} : { maxContextTokens: settings.context_size }),
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
        hint: `Add a [providers.${name}] table to the configuration, or use local/spell-mini, which needs none`,
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
  problem({ key, type, settings }: Provider): string | undefined {
    if (!settings.enabled) return `Provider '${key}' is disabled`;
    const variable = settings.api_key_env ?? providerType(type)?.keyVariables[0];
    if (typeFacts(type) === undefined) return `Unsupported provider type: ${type}`;
    if (variable !== undefined && this.apiKey({ key, type, settings }) === undefined) {
      const stored = storedKey(key, type, this.places.store);
      if (stored !== undefined)
        return `Provider '${key}' is not configured: its stored key expired on ${stored.expiresAt}`;
      return `Provider '${key}' is not configured: environment variable ${variable} is not set`;
    }
    if (!typeFacts(type)!.available)
      return `Provider '${key}' has type ${type}, which this build cannot talk to`;
    return undefined;
  }

  /** @throws config with `problem`'s text */
  assertUsable(provider: Provider, given: { apiKey?: string } = {}): void {
    const settings =
      given.apiKey === undefined ? provider.settings : { ...provider.settings, api_key: given.apiKey };
    const problem = this.problem({ ...provider, settings });
    if (problem === undefined) return;
    const { key, type } = provider;
    throw new SpellError("config", problem, {
      data: { provider: key, providerType: type, variables: keyVariables(key, settings, type) },
      hint: typeFacts(type)?.available
        ? `Set enabled = true in [providers.${key}]`
        : `This build has the provider types ${AVAILABLE_TYPES.join(" and ")}; local/spell-mini needs no configuration`,
    });
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
