/** Hubs, tokens and limits from the configuration and the environment. */
import type { Config, ProviderConfig } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { DEFAULT_RETRY } from "../../core/retry.ts";
import { networkRules } from "../../security/network/rules.ts";
import { retryOf } from "../retry-settings.ts";
import { HubHttp } from "./http.ts";
import type { HubOptions } from "./plan.ts";

export interface Hubs {
  http: HubHttp;
  huggingFace: HubOptions;
  ollama: HubOptions;
}

const HUGGING_FACE = "https://huggingface.co";
const OLLAMA = "https://registry.ollama.ai";
const CONNECT_MS = 30_000;
/** spec/cli.md section 15.3. */
const IDLE_SECONDS = 120;

type Environment = Readonly<Record<string, string | undefined>>;

/** @param settings of the provider of local models @throws config for an address that is none */
export function hubsOf(config: Config, settings: ProviderConfig, env: Environment, log: Log): Hubs {
  const hub = settings.hub_url ?? (env.HF_ENDPOINT || undefined);
  const registry = settings.registry_url;
  const own = [hub, registry].filter((url) => url !== undefined);
  const bases = { hub: baseOf(hub ?? HUGGING_FACE), registry: baseOf(registry ?? OLLAMA) };
  return {
    http: new HubHttp({
      rules: networkRules(config, own),
      env,
      log,
      retry: retryOf(settings, DEFAULT_RETRY),
      connectMs: Math.min(CONNECT_MS, idleMs(settings)),
      idleMs: idleMs(settings),
    }),
    huggingFace: { base: bases.hub, token: tokenOf(config, settings, env) },
    ollama: { base: bases.registry },
  };
}

const idleMs = ({ download_idle_seconds }: ProviderConfig): number =>
  (download_idle_seconds ?? IDLE_SECONDS) * 1000;

function tokenOf(config: Config, settings: ProviderConfig, env: Environment): string | undefined {
  const { huggingface } = config.providers as Record<string, ProviderConfig | undefined>;
  return settings.hf_api_key || env.HF_TOKEN || env.HFHUB_API_KEY || huggingface?.api_key || undefined;
}

function baseOf(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new SpellError(
    "config",
    `Cannot use the address of the hub: it must be an http or https URL: ${text}`,
    {
      hint: "Correct hub_url, registry_url or HF_ENDPOINT",
    },
  );
}
