import { providerType } from "../config/provider-types.ts";
import type { ProviderConfig } from "../config/schema.ts";
import type { KeyInfo, KeyStore } from "../security/keys/store.ts";

export interface ApiKey {
  /** Where it comes from, without the key: `config`, `key store`, or the name of a variable. */
  source: string;
  /** The key itself, for the one who sends it. @throws SpellError where the store cannot be opened */
  reveal(): Promise<string>;
}

export const KEY_STORE = "key store";

type Environment = Record<string, string | undefined>;

export interface KeyPlaces {
  env: Environment;
  store: KeyStore;
}

/**
 * The key of a provider: `api_key`, then the variable that `api_key_env` names, then the key store, then
 * `LLMSPELL_PROVIDER_<NAME>_API_KEY`, `LLMSPELL_<NAME>_API_KEY` and the vendor's own variable (spec/config.md section
 * 2.2). Empty values count as unset.
 */
export function findApiKey(
  name: string,
  settings: ProviderConfig,
  type: string,
  { env, store }: KeyPlaces,
): ApiKey | undefined {
  const variables = keyVariables(name, settings, type);
  // The loader puts a variable's value into `api_key`.
  const loadedFrom = settings.api_key ? variables.find((name) => env[name] === settings.api_key) : undefined;
  if (settings.api_key && (loadedFrom === undefined || loadedFrom === settings.api_key_env))
    return given(loadedFrom ?? "config", settings.api_key);
  const first = settings.api_key_env;
  if (first !== undefined && env[first]) return given(first, env[first]);
  const stored = storedKey(name, type, store);
  if (stored?.isActive === true) return { source: KEY_STORE, reveal: () => store.reveal(stored.provider) };
  const source = loadedFrom ?? variables.find((variable) => env[variable]);
  return source === undefined ? undefined : given(source, env[source]!);
}

const given = (source: string, value: string): ApiKey => ({ source, reveal: async () => value });

/** The stored key of a provider: under its own name, else under its type's. Providers that need none have none. */
export function storedKey(name: string, type: string, store: KeyStore): KeyInfo | undefined {
  const known = providerType(type);
  if (known?.keyIsOptional) return store.find(name);
  if (known?.keyVariables.length === 0) return undefined;
  return store.find(name) ?? store.find(type);
}

/** The variables in which a key is looked for, in order. */
export function keyVariables(name: string, settings: ProviderConfig, type: string): string[] {
  const upper = name.toUpperCase().replace(/[^A-Z0-9]/g, "_");
  return [
    ...(settings.api_key_env ? [settings.api_key_env] : []),
    `LLMSPELL_PROVIDER_${upper}_API_KEY`,
    `LLMSPELL_${upper}_API_KEY`,
    ...(providerType(type)?.keyVariables ?? []),
  ];
}
