/** Advice on values that are allowed but risky. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { didYouMean } from "../core/nearest.ts";
import type { Environment } from "./layer.ts";
import { PROVIDER_TYPES, providerType } from "./provider-types.ts";
import { isHttpUrl } from "./rules.ts";
import { type Config, providerEntries } from "./schema.ts";
import { getPath, joinPath, splitPath } from "./tree.ts";

export interface AdviceSink {
  warn(message: string, path: string): void;
  /** What is wrong will stop only those who use it. */
  warnOnUse(message: string, path: string): void;
  /** Whether the key was set by a file, a profile or the environment. */
  explicit(path: string): boolean;
}

/** Values above which a key that was set deserves a second look. */
const HIGH: readonly (readonly [path: string, above: number, unit: string])[] = [
  ["engines.lua.max_memory_bytes", 1_000_000_000, "1 GB"],
  ["engines.javascript.max_heap_size_bytes", 1_000_000_000, "1 GB"],
  ["runtime.security.max_memory_bytes", 2_000_000_000, "2 GB"],
  ["engines.lua.timeout_ms", 300_000, "5 minutes"],
  ["engines.javascript.timeout_ms", 300_000, "5 minutes"],
  ["tools.file_operations.max_file_size", 1_000_000_000, "1 GB"],
  ["tools.file_operations.max_depth", 50, "50"],
  ["tools.web_search.max_results", 100, "100"],
  ["runtime.max_concurrent_scripts", 100, "100"],
  ["runtime.script_timeout_seconds", 3600, "one hour"],
  ["runtime.state_persistence.max_state_size_bytes", 100_000_000, "100 MB"],
  ["events.buffer_size", 1_000_000, "1 million"],
  ["events.max_events_per_second", 100_000, "100 000 events a second"],
];

/** Warns about risky values that were set; defaults never warn. */
export function adviseOn(config: Config, env: Environment, cwd: string, sink: AdviceSink): void {
  for (const [path, above, unit] of HIGH) {
    const value = getPath(config as never, splitPath(path));
    if (sink.explicit(path) && typeof value === "number" && value > above)
      sink.warn(`${path} is above ${unit}: ${value}`, path);
  }
  adviseOnProviders(config, env, sink);
  adviseOnAccess(config, cwd, sink);
  adviseOnEvents(config, cwd, sink);
}

function adviseOnProviders(config: Config, env: Environment, sink: AdviceSink): void {
  for (const [name, provider] of providerEntries(config)) {
    const path = joinPath(["providers", name]);
    const shown = joinPath([name]);
    if (!provider.enabled) continue;
    const type = providerType(provider.provider_type);
    if (type === undefined) {
      const hint = didYouMean(provider.provider_type, Object.keys(PROVIDER_TYPES));
      sink.warn(
        `Provider '${shown}' has an unknown provider_type: ${JSON.stringify(provider.provider_type)}${hint === undefined ? "" : `. ${hint}`}`,
        `${path}.provider_type`,
      );
    }
    const named = provider.api_key_env;
    const missing = named !== undefined ? !env[named] : provider.base_url === undefined;
    const variable = named ?? type?.keyVariables[0];
    if (provider.api_key === undefined && variable !== undefined && missing)
      sink.warnOnUse(
        `Provider '${shown}' is not configured: environment variable ${variable} is not set`,
        path,
      );
    if ((provider.timeout_seconds ?? 0) > 600)
      sink.warn(
        `${path}.timeout_seconds is above 600: ${provider.timeout_seconds}`,
        `${path}.timeout_seconds`,
      );
    if ((provider.max_retries ?? 0) > 10)
      sink.warn(`${path}.max_retries is above 10: ${provider.max_retries}`, `${path}.max_retries`);
  }
}

const SYSTEM_DIRECTORIES = ["/etc", "/root", "/sys"];
const LOCAL_HOSTS = ["localhost", "127.0.0.1"];

function adviseOnAccess({ runtime, tools }: Config, cwd: string, sink: AdviceSink): void {
  for (const [path, on] of [
    ["runtime.security.allow_process_spawn", runtime.security.allow_process_spawn],
    ["tools.system.allow_process_execution", tools.system.allow_process_execution],
  ] as const)
    if (on && sink.explicit(path)) sink.warn(`${path} is on: scripts can start programs`, path);

  const paths = "tools.file_operations.allowed_paths";
  if (sink.explicit(paths)) {
    for (const entry of tools.file_operations.allowed_paths) {
      if (entry === "*" || SYSTEM_DIRECTORIES.some((dir) => entry === dir || entry.startsWith(`${dir}/`)))
        sink.warn(`${paths} gives access to system files: ${JSON.stringify(entry)}`, paths);
      else if (!existsSync(resolve(cwd, entry)))
        sink.warn(`${paths} names a missing path: ${JSON.stringify(entry)}`, paths);
    }
  }
  const { web_search, http_request } = tools;
  const open = (list: readonly string[]) => list.length === 0 || list.includes("*");
  if (
    sink.explicit("tools.web_search.allowed_domains") &&
    open(web_search.allowed_domains) &&
    web_search.blocked_domains.length === 0
  )
    sink.warn("tools.web_search is open to all domains and blocks none", "tools.web_search.blocked_domains");
  if (
    open(http_request.allowed_hosts) &&
    !http_request.blocked_hosts.some((host) => LOCAL_HOSTS.includes(host))
  )
    sink.warn(
      "tools.http_request is open to all hosts and does not block localhost",
      "tools.http_request.blocked_hosts",
    );
}

function adviseOnEvents({ events }: Config, cwd: string, sink: AdviceSink): void {
  const { webhook, file } = events.export;
  if (webhook !== undefined && isHttpUrl(webhook)) {
    const { protocol, hostname } = new URL(webhook);
    if (protocol === "http:" && ![...LOCAL_HOSTS, "[::1]"].includes(hostname))
      sink.warn("events.export.webhook sends events unencrypted", "events.export.webhook");
  }
  if (file && !existsSync(dirname(resolve(cwd, file))))
    sink.warn(`events.export.file is in a missing directory: ${JSON.stringify(file)}`, "events.export.file");
}
