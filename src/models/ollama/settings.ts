/** What a provider table of type `ollama` says, with the environment's part, in the client's terms. */
import { ollamaAddress } from "../../config/ollama-address.ts";
import type { Config, ProviderConfig } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { DEFAULT_RETRY, type RetrySettings } from "../../core/retry.ts";
import { type NetworkRules, networkRules } from "../../security/network/rules.ts";
import { retryOf } from "../retry-settings.ts";
import type { ModelOverrides } from "../service.ts";

type Environment = Readonly<Record<string, string | undefined>>;

interface Surroundings {
  config: Config;
  env: Environment;
  log: Log;
}

export interface OllamaSettings {
  /** Without a slash at its end. */
  baseUrl: string;
  /** The server is on this machine: it may be started, and no proxy stands before it. */
  isThisMachine: boolean;
  rules: NetworkRules;
  /** Where a proxy is looked for. */
  proxyEnv: Environment;
  /** What `ollama` itself is found in and started with. */
  env: Environment;
  log: Log;
  headers: Readonly<Record<string, string>>;
  retry: RetrySettings;
  /** Longest wait for the next bytes of an answer; of a download apart. */
  idleMs: number;
  pullIdleMs: number;
  healthMs: number;
  autoStart: boolean;
  contextTokens?: number;
  /** Ollama's own form: `5m`, or seconds. */
  keepAlive?: string | number;
  /** Ollama's options as they are, such as `num_gpu`. */
  options: Readonly<Record<string, unknown>>;
}

/** spec/config.md section 5 and spec/cli.md section 15.3. */
const DEFAULT_SECONDS = { timeout: 120, downloadIdle: 120, health: 60 };
const MAX_RETRIES = 3;
const DEFAULT_URL = "http://localhost:11434";
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * An address that a script gives is under the rules for all of a script's requests, gets no key of the configuration, and
 * is not started.
 * @throws config for an address that is none, or options that are no table
 */
export function ollamaSettings(
  provider: ProviderConfig,
  { baseUrl: given, apiKey, maxRetries }: ModelOverrides,
  { config, env, log }: Surroundings,
): OllamaSettings {
  const configured = provider.base_url ?? ollamaAddress(env) ?? DEFAULT_URL;
  const url = baseOf(given || configured);
  const isThisMachine = LOOPBACK.test(url.hostname);
  const isOwn = !given || isThisMachine || URL.parse(configured)?.origin === url.origin;
  const baseUrl = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  const { timeout_seconds, download_idle_seconds, health_check_interval_seconds } = provider;
  const { context_size, keep_alive, api_key } = provider;
  const seconds = (given: number | undefined, usual: number) => (given ?? usual) * 1000;
  return {
    baseUrl,
    isThisMachine,
    rules: networkRules(config, isOwn ? [baseUrl] : []),
    proxyEnv: isThisMachine ? {} : env,
    env,
    log,
    headers: headersOf(url, apiKey ?? (isOwn ? api_key : undefined)),
    retry: retryOf(provider, { ...DEFAULT_RETRY, maxRetries: MAX_RETRIES }, maxRetries),
    idleMs: seconds(timeout_seconds, DEFAULT_SECONDS.timeout),
    pullIdleMs: seconds(download_idle_seconds, DEFAULT_SECONDS.downloadIdle),
    healthMs: seconds(health_check_interval_seconds, DEFAULT_SECONDS.health),
    autoStart: provider.auto_start === true && !given,
    ...(context_size === undefined ? {} : { contextTokens: context_size }),
    ...(keep_alive === undefined ? {} : { keepAlive: keepAliveOf(keep_alive) }),
    options: tableOf(provider.options),
  };
}

/** Where the program `ollama` lies; undefined where it is not installed. */
export function ollamaProgram(env: Environment): string | undefined {
  return Bun.which("ollama", { PATH: env.PATH ?? "" }) ?? undefined;
}

/** A name and a password in the address, or a key, for a proxy before the server. */
function headersOf({ username, password }: URL, key: string | undefined): Record<string, string> {
  if (key) return { Authorization: `Bearer ${key}` };
  if (username === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

function keepAliveOf(given: unknown): string | number {
  if (typeof given === "number" || (typeof given === "string" && /^-?\d+(\.\d+)?(ms|s|m|h)?$/.test(given)))
    return given;
  throw new SpellError(
    "config",
    `Cannot use Ollama: "keep_alive" must be seconds or a duration: ${JSON.stringify(given)}`,
    { hint: 'Write it as "10m" or "1h"; 0 unloads at once, -1 never' },
  );
}

function tableOf(options: unknown): Record<string, unknown> {
  if (options === undefined) return {};
  if (typeof options === "object" && options !== null && !Array.isArray(options))
    return options as Record<string, unknown>;
  throw new SpellError("config", `Cannot use Ollama: "options" must be a table: ${JSON.stringify(options)}`, {
    hint: "Write them as [providers.ollama.options]",
  });
}

function baseOf(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new SpellError(
    "config",
    `Cannot use the address of Ollama: it must be an http or https URL: ${text}`,
    { hint: "Correct base_url of the provider, OLLAMA_BASE_URL or OLLAMA_HOST" },
  );
}
