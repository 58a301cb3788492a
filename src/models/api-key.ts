import { providerType } from "../config/provider-types.ts";
import type { ProviderConfig } from "../config/schema.ts";

export interface ApiKey {
  value: string;
  /** Where it came from, without the key: `config`, or the name of a variable. */
  source: string;
}

type Environment = Record<string, string | undefined>;

/**
 * The key of a provider: `api_key`, then the variable that `api_key_env` names, then `LLMSPELL_PROVIDER_<NAME>_API_KEY`,
 * `LLMSPELL_<NAME>_API_KEY` and the vendor's own variable (spec/config.md section 2.2). Empty values count as unset.
 */
export function findApiKey(
  name: string,
  settings: ProviderConfig,
  type: string,
  env: Environment,
): ApiKey | undefined {
  const variables = keyVariables(name, settings, type);
  if (settings.api_key) {
    // The loader puts a variable's value into `api_key`.
    const source = variables.find((variable) => env[variable] === settings.api_key) ?? "config";
    return { value: settings.api_key, source };
  }
  const source = variables.find((variable) => env[variable]);
  return source === undefined ? undefined : { value: env[source]!, source };
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
