/**
 * Environment variables of providers: `LLMSPELL_PROVIDER_<NAME>_*`, `LLMSPELL_<NAME>_*` and the conventional names of
 * keys (`OPENAI_API_KEY`).
 */
import { type Environment, type LayerSink, setFromText } from "./layer.ts";
import { OLLAMA_VARIABLES, ollamaAddress } from "./ollama-address.ts";
import { PROVIDER_TYPES, providerType } from "./provider-types.ts";
import { isTree, joinPath, type Tree } from "./tree.ts";

/** Endings of `LLMSPELL_<NAME>_…` and the provider key each sets. */
export const PROVIDER_ENDINGS = {
  PROVIDER_TYPE: "provider_type",
  BASE_URL: "base_url",
  ENDPOINT: "base_url",
  MODEL: "default_model",
  TIMEOUT: "timeout_seconds",
  MAX_RETRIES: "max_retries",
  API_KEY: "api_key",
} as const;

const PATTERN =
  /^LLMSPELL_(PROVIDER_)?(.+?)_(PROVIDER_TYPE|BASE_URL|ENDPOINT|MODEL|TIMEOUT|MAX_RETRIES|API_KEY)$/;

interface Setting {
  variable: string;
  /** Lower-case name of the provider. */
  provider: string;
  key: string;
}

/**
 * Merges provider variables; `names` are the set `LLMSPELL_*` variables that no other rule knows.
 * @returns those that are no provider's either
 */
export function applyProviderVariables(
  tree: Tree,
  env: Environment,
  names: readonly string[],
  sink: LayerSink,
): string[] {
  const unknown: string[] = [];
  const settings: Setting[] = [];
  // The plain form first: the registered form with PROVIDER_ then wins.
  for (const variable of [...names].sort((a, b) => Number(isLong(a)) - Number(isLong(b)))) {
    const [, , name, ending] = PATTERN.exec(variable) ?? [];
    if (name === undefined) unknown.push(variable);
    else
      settings.push({
        variable,
        provider: name.toLowerCase(),
        key: PROVIDER_ENDINGS[ending as keyof typeof PROVIDER_ENDINGS],
      });
  }

  if (!isTree(tree.providers) && (settings.length > 0 || keyVariablesSet(env))) tree.providers ??= {};
  if (!isTree(tree.providers)) return unknown;
  const providers = tree.providers;
  for (const setting of settings) {
    const typed = settings.some(
      ({ provider, key }) => provider === setting.provider && key === "provider_type",
    );
    const table = findOrCreate(providers, setting.provider, typed);
    if (table === undefined) unknown.push(setting.variable);
    else if (setting.key !== "api_key") {
      const paths = [joinPath(["providers", table.name, setting.key])];
      setFromText(tree, { name: setting.variable, paths }, env[setting.variable]!, sink);
    }
  }
  for (const [type, { keyVariables }] of Object.entries(PROVIDER_TYPES))
    if (keyVariables.some((variable) => env[variable])) findOrCreate(providers, type, false);
  fillKeys(providers, env, settings, sink);
  fillAddresses(providers, env, sink);
  return unknown;
}

const isLong = (variable: string) => variable.startsWith("LLMSPELL_PROVIDER_");

function keyVariablesSet(env: Environment): boolean {
  return Object.values(PROVIDER_TYPES).some(({ keyVariables }) => keyVariables.some((name) => env[name]));
}

const normalised = (name: string) => name.toLowerCase().replaceAll("-", "_");

/** The provider's table; made when its name is a known type or a variable gives the type. */
function findOrCreate(providers: Tree, wanted: string, typed: boolean): { name: string } | undefined {
  const name = Object.keys(providers).find((key) => normalised(key) === wanted && isTree(providers[key]));
  if (name !== undefined) return { name };
  const type = providerType(wanted);
  if (type === undefined && !typed) return undefined;
  const created: Tree = type === undefined ? {} : { provider_type: wanted };
  if (type?.defaultModel !== undefined) created.default_model = type.defaultModel;
  providers[wanted] = created;
  return { name: wanted };
}

/** A key variable counts only where the file gives no key: `api_key`, then `api_key_env`, come first. */
function fillKeys(providers: Tree, env: Environment, settings: readonly Setting[], sink: LayerSink): void {
  for (const [name, provider] of Object.entries(providers)) {
    if (!isTree(provider) || provider.api_key) continue;
    if (typeof provider.api_key_env === "string" && env[provider.api_key_env]) continue;
    const own = settings
      .filter((setting) => setting.key === "api_key" && setting.provider === normalised(name))
      .map(({ variable }) => variable);
    const candidates = [...own.reverse(), ...(providerType(provider.provider_type)?.keyVariables ?? [])];
    const variable = candidates.find((candidate) => env[candidate]);
    if (variable === undefined) continue;
    provider.api_key = env[variable]!;
    sink.origin(joinPath(["providers", name, "api_key"]), variable);
  }
}

/** `OLLAMA_BASE_URL` and `OLLAMA_HOST` for Ollama providers without an address. */
function fillAddresses(providers: Tree, env: Environment, sink: LayerSink): void {
  const address = ollamaAddress(env);
  if (address === undefined) return;
  const variable = OLLAMA_VARIABLES.find((name) => env[name])!;
  for (const [name, provider] of Object.entries(providers)) {
    if (!isTree(provider) || provider.provider_type !== "ollama" || provider.base_url) continue;
    provider.base_url = address;
    sink.origin(joinPath(["providers", name, "base_url"]), variable);
  }
}
