/** One cloud provider, ready to be asked: its address, key, headers and limits. */
import type { Config, ProviderConfig } from "../../../config/schema.ts";
import { SpellError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { bareHost, type NetworkRules, networkRules } from "../../../security/network/rules.ts";
import type { ApiKey } from "../../api-key.ts";
import type { ModelOverrides } from "../../service.ts";
import { RateLimiters, type RateSettings } from "./rate-limit.ts";
import { type Address, addressOf, retrySettings, timeLimits } from "./settings.ts";
import { type CallState, callFetch, type TransportSettings } from "./transport.ts";
import { type Client, VENDORS, type Vendor } from "./vendors.ts";

export interface CloudProvider {
  /** Key of the configuration table. */
  readonly key: string;
  /** One of `VENDORS`. */
  readonly type: string;
  readonly settings: ProviderConfig;
}

export interface CloudRequest {
  provider: CloudProvider;
  modelId: string;
  overrides: ModelOverrides;
  /** The configured key, where there is one. */
  apiKey: ApiKey | undefined;
  config: () => Config;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
}

/** Headers in which vendors' clients put a key. */
const KEY_HEADERS = ["authorization", "x-api-key", "x-goog-api-key"];
const HIDDEN = "<REDACTED>";

const limiters = new RateLimiters();

export class Connection {
  readonly vendor: Vendor;
  private readonly address: Address;

  /** @throws config for an address that is none */
  constructor(readonly request: CloudRequest) {
    const { key, type, settings } = request.provider;
    this.vendor = VENDORS[type]!;
    this.address = addressOf(key, this.vendor, settings, request.overrides);
  }

  get model() {
    return { provider: this.request.provider.key, modelId: this.request.modelId };
  }

  /** The vendor's client for one call. @throws SpellError for a key that cannot be read or sent */
  async client(call: CallState): Promise<{ client: Client; hide: (text: string) => string }> {
    const { provider, env } = this.request;
    const { settings } = provider;
    const key = await this.key();
    const hide = hider([key, ...Object.values(settings.headers ?? {})]);
    const transport: TransportSettings = {
      model: this.model,
      rules: this.rules(),
      env,
      log: this.request.log,
      limits: timeLimits(settings),
      retry: retrySettings(settings, this.request.overrides),
      caFile: settings.ca_file,
      limiter: limiters.get(this.quota(key)),
      rate: this.rate,
      headers: (given) => this.headers(given, key),
      hide,
      keyHint: this.keyHint(key),
    };
    const client = await this.vendor.load({
      baseURL: this.address.url,
      apiKey: key ?? "",
      // a vendor's client takes no other `fetch` than the global one's type
      fetch: callFetch(transport, call),
      structuredOutputs: settings.structured_outputs ?? true,
    });
    return { client, hide };
  }

  /** @throws config for what cannot be sent as a key */
  private async key(): Promise<string | undefined> {
    const { overrides, apiKey, provider } = this.request;
    const own = overrides.apiKey?.trim() || undefined;
    const key = own ?? (this.address.takesKey ? (await apiKey?.reveal())?.trim() : undefined);
    if (key === undefined || /^[\x21-\x7e]+$/.test(key)) return key;
    const source = own === undefined ? apiKey?.source : "the script";
    throw new SpellError(
      "config",
      `Cannot use the API key of provider '${provider.key}': it must be one line of ASCII characters without spaces`,
      { data: { provider: provider.key }, hint: `Correct it; it comes from: ${source}` },
    );
  }

  private rules(): NetworkRules {
    const { url, isOwn, isNear } = this.address;
    const rules = networkRules(this.request.config(), isOwn ? [url] : []);
    // servers of models on this machine, not what else listens here on its blocked ports
    return isNear ? { ...rules, allowed: [...rules.allowed, bareHost(new URL(url))] } : rules;
  }

  private keyHint(key: string | undefined): string | undefined {
    const { overrides, apiKey } = this.request;
    if (key === undefined && apiKey !== undefined)
      return "The configured key is not sent to an address that a script names: give api_key with base_url";
    const source = overrides.apiKey === undefined ? apiKey?.source : "the script";
    return source === undefined ? undefined : `Check the API key; it comes from: ${source}`;
  }

  private headers(given: Headers, key: string | undefined): Headers {
    const { auth_header, auth_prefix, headers: own = {}, organization_id } = this.request.provider.settings;
    const headers = new Headers(given);
    if (auth_header !== undefined || auth_prefix !== undefined || key === undefined) {
      for (const name of KEY_HEADERS) headers.delete(name);
      const name = auth_header ?? "Authorization";
      const prefix = auth_prefix ?? (name.toLowerCase() === "authorization" ? "Bearer" : "");
      if (key !== undefined) headers.set(name, `${prefix} ${key}`.trim());
    }
    if (typeof organization_id === "string") headers.set("OpenAI-Organization", organization_id);
    for (const [name, value] of Object.entries(own)) headers.set(name, value);
    return headers;
  }

  /** Where requests go and for whom: the key or what the headers say instead, and the organization. */
  private quota(key: string | undefined): string {
    const { auth_header, headers = {}, organization_id } = this.request.provider.settings;
    const names = [...KEY_HEADERS, auth_header?.toLowerCase()];
    const own = Object.entries(headers).flatMap(([name, value]) =>
      names.includes(name.toLowerCase()) ? [value] : [],
    );
    const identity = JSON.stringify([own.length > 0 ? own : key, organization_id]);
    return `${this.address.url} ${Bun.hash.wyhash(identity).toString(36)}`;
  }

  private get rate(): RateSettings | undefined {
    const { key: provider, settings } = this.request.provider;
    const { rate_limit: limit } = settings;
    if (limit === undefined) return undefined;
    return {
      provider,
      requestsPerMinute: limit.requests_per_minute,
      tokensPerMinute: limit.tokens_per_minute,
      waits: limit.auto_retry,
    };
  }
}

/** Takes secrets out of texts, in every form in which a server may give them back. */
function hider(secrets: readonly (string | undefined)[]): (text: string) => string {
  const forms = secrets.flatMap((secret) => {
    if (secret === undefined || secret.length < 4) return [];
    return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), btoa(encode(secret))];
  });
  return (text) => forms.reduce((shown, form) => shown.replaceAll(form, HIDDEN), text);
}

const encode = (text: string): string => Buffer.from(text).toString("latin1");
