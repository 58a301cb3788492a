/** The whole configuration: every section of the TOML file, keyed as there. */
import type { Static } from "typebox";
import { section, text } from "./fields.ts";
import { Engines } from "./sections/engines.ts";
import {
  Daemon,
  Health,
  Kernel,
  Logging,
  LogRotation,
  Monitoring,
  Protocols,
  Shutdown,
  Signals,
} from "./sections/kernel.ts";
import { Models, Recording } from "./sections/models.ts";
import { Debug, Events, Hooks } from "./sections/observe.ts";
import { type Provider, Providers } from "./sections/providers.ts";
import { Rag } from "./sections/rag.ts";
import { Runtime } from "./sections/runtime.ts";
import { Tools } from "./sections/tools.ts";

export const ConfigSchema = section("The configuration.", {
  default_engine: text("lua", "Engine for scripts: lua, javascript, or a table of `[engines]`"),
  engines: Engines,
  providers: Providers,
  runtime: Runtime,
  tools: Tools,
  hooks: Hooks,
  events: Events,
  debug: Debug,
  rag: Rag,
  kernel: Kernel,
  daemon: Daemon,
  shutdown: Shutdown,
  signals: Signals,
  logging: Logging,
  log_rotation: LogRotation,
  health: Health,
  monitoring: Monitoring,
  protocols: Protocols,
  models: Models,
  recording: Recording,
});

/** One `[providers.NAME]` table; keys the schema does not list are options of the provider. */
export type ProviderConfig = Static<typeof Provider> & { [option: string]: unknown };

export type ProvidersConfig = { default_provider?: string } & {
  [name: string]: ProviderConfig | string | undefined;
};

/** The effective configuration: defaults applied, keys as in the TOML file; keys without a default may be absent. */
export type Config = Omit<Static<typeof ConfigSchema>, "engines" | "providers" | "tools"> & {
  engines: Static<typeof Engines> & { [engine: string]: unknown };
  providers: ProvidersConfig;
  tools: Static<typeof Tools> & { [tool: string]: unknown };
};

/** The `[providers.NAME]` table, without inherited names and `default_provider`. */
export function providerOf(config: Config, name: string): ProviderConfig | undefined {
  if (!Object.hasOwn(config.providers, name)) return undefined;
  const provider = config.providers[name];
  return typeof provider === "object" ? provider : undefined;
}

/** All `[providers.NAME]` tables in the order of the file. */
export function providerEntries(config: Config): [name: string, provider: ProviderConfig][] {
  return Object.entries(config.providers).filter(
    (entry): entry is [string, ProviderConfig] => typeof entry[1] === "object",
  );
}
