/** `Config`: spec/lua-api.md section 8. */
import { Type } from "typebox";
import type { Config } from "../config/schema.ts";
import { SpellError } from "../core/errors.ts";
import { parseJson, stringifyJson } from "../core/json.ts";
import { didYouMean } from "../core/nearest.ts";
import type { ScriptValue } from "../core/values.ts";
import type { ConfigService, Services } from "../kernel/services.ts";
import { restoreSnapshot, takeSnapshot } from "./config-snapshots.ts";
import { AnyTable, type CallContext, type GlobalDecl, optional, param, wait } from "./declare.ts";

/**
 * What every script may do. Widening its own sandbox is not among it: `addAllowedPath` and `setSecurity` need
 * `modify_security`.
 */
const PERMISSIONS = {
  read: true,
  modify_providers: true,
  modify_tools: true,
  modify_runtime: true,
  modify_security: false,
  access_secrets: false,
} as const;

const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  providers: ["providers"],
  engines: ["engines"],
  runtime: ["runtime"],
  tools: ["tools"],
  security: ["runtime", "security"],
};

/** The value at a path with secrets replaced, or null where there is none. */
async function readable(config: Config, keys: readonly string[]): Promise<ScriptValue> {
  let value: unknown = config;
  for (const key of keys) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, key))
      return null;
    value = (value as Record<string, unknown>)[key];
  }
  const { redact } = await import("../config/redact.ts");
  return (redact(value, keys) ?? null) as ScriptValue;
}

function providerNames(config: Config): string[] {
  return Object.keys(config.providers)
    .filter((name) => typeof config.providers[name] === "object")
    .sort();
}

async function refuse({ services }: CallContext, action: string): Promise<never> {
  await services.activeHooks()?.run({
    point: "SecurityViolation",
    component: { type: "System", name: "configuration" },
    data: { rule: "modify_security", component: "Config", detail: `Cannot ${action}` },
  });
  throw new SpellError(
    "permission_denied",
    `Cannot ${action}: scripts have no permission "modify_security"`,
    {
      data: { permission: "modify_security" },
      hint: "Set it in the configuration file, which only the user writes",
    },
  );
}

/** Makes a change and tells hooks what it changed. */
async function changing<T>(services: Services, change: () => T): Promise<T> {
  const before = services.config.current;
  const result = change();
  const hooks = services.activeHooks();
  if (hooks?.has("ConfigurationChange")) {
    const { configurationChanges } = await import("../kernel/reload.ts");
    const { tellChanges } = await import("../kernel/tell-changes.ts");
    await tellChanges(hooks, configurationChanges(before, services.config.current), "script");
  }
  return result;
}

function setProvider(service: ConfigService, name: string, given: Record<string, ScriptValue>): void {
  if (name === "default_provider" || name.includes("/") || name.trim() !== name) {
    throw new SpellError("invalid_argument", `Cannot set a provider of this name: "${name}"`, {
      hint: "A name has no slash and no space around it, and is not default_provider",
    });
  }
  const { model, ...settings } = parseJson(stringifyJson(given)) as Record<string, unknown>;
  if (model !== undefined) settings.default_model ??= model;
  settings.enabled ??= true;
  service.update((draft) => {
    (draft.providers as Record<string, unknown>)[name] = settings;
  });
}

const allow = (flag: "allow_file_access" | "allow_network_access", what: string) =>
  wait({
    doc: `Whether the configuration lets scripts use ${what}.`,
    params: [],
    returns: "boolean",
    handler: ({ services }) => services.config.current.runtime.security[flag],
  });

export const ConfigGlobal: GlobalDecl = {
  name: "Config",
  doc: "The effective configuration, and the changes a script may make to it for its process. Secrets read as `<REDACTED>`.",
  functions: {
    get: wait({
      doc: "The value at a dotted path, `tools.system.allow_process_execution`; nil for an unknown one. Without a path: everything.",
      params: [optional("path", Type.String(), "Keys joined by dots")],
      returns: "any",
      aliases: ["get_all"],
      handler: ({ services }, path) =>
        readable(services.config.current, path === undefined || path === "" ? [] : path.split(".")),
    }),
    getDefaultEngine: wait({
      doc: "The script language that is used when none is named.",
      params: [],
      returns: "string",
      handler: ({ services }) => services.config.current.default_engine,
    }),
    getProvider: wait({
      doc: "The settings of one provider; nil for an unknown one.",
      params: [param("name", Type.String(), "Key of the `[providers.NAME]` table")],
      returns: "table | nil",
      handler: async ({ services }, name) =>
        providerNames(services.config.current).includes(name)
          ? readable(services.config.current, ["providers", name])
          : null,
    }),
    listProviders: wait({
      doc: "The names of all configured providers, sorted.",
      params: [],
      returns: "string[]",
      handler: ({ services }) => providerNames(services.config.current),
    }),
    getSecurity: wait({
      doc: "The limits of scripts.",
      params: [],
      returns:
        "{allow_file_access, allow_network_access, allow_process_spawn, max_memory_bytes, max_execution_time_ms}",
      handler: ({ services }) => readable(services.config.current, SECTIONS.security!),
    }),
    getTools: wait({
      doc: "The `[tools]` section.",
      params: [],
      returns: "table",
      handler: ({ services }) => readable(services.config.current, ["tools"]),
    }),
    isFileAccessAllowed: allow("allow_file_access", "files"),
    isNetworkAccessAllowed: allow("allow_network_access", "the network"),
    getSection: wait({
      doc: "One section. Raises for any other name.",
      params: [param("name", Type.String(), "providers, engines, runtime, tools or security")],
      returns: "table",
      handler: ({ services }, name) => {
        const keys = Object.hasOwn(SECTIONS, name) ? SECTIONS[name] : undefined;
        if (keys !== undefined) return readable(services.config.current, keys);
        throw new SpellError("invalid_argument", `Unknown configuration section: "${name}"`, {
          data: { section: name },
          hint: didYouMean(name, Object.keys(SECTIONS)) ?? `Sections are ${Object.keys(SECTIONS).join(", ")}`,
        });
      },
    }),
    getPermissions: wait({
      doc: "What scripts may do with the configuration.",
      params: [],
      returns: "{read, modify_providers, modify_tools, modify_runtime, modify_security, access_secrets}",
      handler: () => ({ ...PERMISSIONS }),
    }),
    addAllowedPath: wait({
      doc: "Raises: a script cannot give itself access to more files; the user sets `tools.file_operations.allowed_paths`.",
      params: [param("path", Type.String(), "A directory")],
      returns: "nil",
      handler: (ctx, path) => refuse(ctx, `allow the path "${path}"`),
    }),
    setProvider: wait({
      doc: "Adds or replaces a provider for this process. Raises for settings that the configuration would refuse.",
      params: [
        param("name", Type.String({ minLength: 1 }), "Key of the provider"),
        param(
          "settings",
          AnyTable,
          "provider_type, default_model (or model), api_key_env, base_url, enabled, and options of the provider",
        ),
      ],
      returns: "nil",
      handler: ({ services }, name, settings) =>
        changing(services, () => setProvider(services.config, name, settings)),
    }),
    setSecurity: wait({
      doc: "Raises: a script cannot change its own limits; the user sets `[runtime.security]`.",
      params: [param("settings", AnyTable, "Fields of getSecurity")],
      returns: "nil",
      handler: (ctx) => refuse(ctx, "change the security settings"),
    }),
    snapshot: wait({
      doc: "Remembers the configuration. At most ten snapshots are kept.",
      params: [],
      returns: "integer: a timestamp in milliseconds, for restoreSnapshot",
      handler: ({ services }) => takeSnapshot(services.config),
    }),
    restoreSnapshot: wait({
      doc: "Brings the configuration of a snapshot back. Raises for an unknown timestamp.",
      params: [param("timestamp", Type.Integer(), "What snapshot returned")],
      returns: "nil",
      handler: ({ services }, timestamp) =>
        changing(services, () => restoreSnapshot(services.config, timestamp)),
    }),
    toJson: wait({
      doc: "The whole configuration as a table, despite its name.",
      params: [],
      returns: "table",
      handler: ({ services }) => readable(services.config.current, []),
    }),
  },
  bothSpellings: true,
};
