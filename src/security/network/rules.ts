/** Which hosts may be reached: names first, then every address a name stands for (spec/tools.md sections 5.2 and 5.3). */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Config } from "../../config/schema.ts";
import { SpellError } from "../../core/errors.ts";
import { errnoOf } from "../../core/io-error.ts";
import { matchesWildcard } from "../../core/wildcard.ts";
import { refused } from "../denial.ts";
import { isInRange, isLocalAddress, isLoopback } from "./addresses.ts";

export interface NetworkRules {
  /** `runtime.security.allow_network_access`. Without it, only servers on this machine that the configuration names are left. */
  enabled: boolean;
  /** Exact hosts, `host:port`, `*.suffix`, `*` and ranges of addresses. One that is not a bare `*` admits local addresses too. */
  allowed: readonly string[];
  /** `host:port` of servers the user configured; they may be anywhere. */
  ownHosts: readonly string[];
  /** Instead of the system's resolver. */
  resolve?: (host: string) => Promise<string[]>;
}

/** Ports of services that speak no HTTP, which a crafted URL could talk into something. */
const BLOCKED_PORTS = new Set([
  22, 23, 25, 110, 135, 139, 445, 1433, 3306, 3389, 5432, 5900, 6379, 8020, 9200, 11_211, 27_017,
]);
const LOCAL_NAMES = ["localhost", "*.localhost", "metadata.google.internal"];

/** @param ownUrls addresses of servers from the configuration */
export function networkRules({ runtime, tools }: Config, ownUrls: readonly string[]): NetworkRules {
  return {
    enabled: runtime.security.allow_network_access,
    allowed: tools.network.allowed_domains,
    ownHosts: ownUrls.map((url) => hostAndPort(new URL(url))),
  };
}

/**
 * @returns the addresses that may be connected to, all of them checked
 * @throws permission_denied, network (`data.unresolved`) where the name cannot be resolved
 */
export async function checkedAddresses(url: URL, rules: NetworkRules): Promise<string[]> {
  checkHost(url, rules);
  const host = bareHost(url);
  const addresses = isIP(host) !== 0 ? [host] : await (rules.resolve ?? resolve)(host);
  for (const address of addresses) checkAddress(url, address, rules);
  return addresses;
}

/** What can be told from the URL alone, for a request that a proxy resolves. @throws permission_denied */
export function checkHost(url: URL, rules: NetworkRules): void {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw denied(url, `the scheme ${url.protocol.slice(0, -1)} is not http or https`);
  const host = bareHost(url);
  const isOwn = rules.ownHosts.includes(hostAndPort(url));
  const isThisMachine = host === "localhost" || (isIP(host) !== 0 && isLoopback(host));
  if (!rules.enabled && !(isThisMachine && (isOwn || isNamed(url, rules)))) throw networkDisabled(url);
  if (isOwn) return;
  if (!rules.allowed.some((entry) => matchesHost(entry, url)))
    throw denied(url, "Domain not in allowed list", host);
  if (BLOCKED_PORTS.has(Number(url.port))) throw denied(url, `port ${url.port} is blocked`);
  if (isIP(host) !== 0) checkAddress(url, host, rules);
  else if (LOCAL_NAMES.some((name) => matchesWildcard(name, host)) && !isNamed(url, rules))
    throw denied(url, "Host blocked: it is a name of this machine or its network", host);
}

function checkAddress(url: URL, address: string, rules: NetworkRules): void {
  if (!isLocalAddress(address) || isNamed(url, rules, address)) return;
  if (rules.ownHosts.includes(hostAndPort(url))) return;
  throw denied(url, `Host blocked: ${address} is an address of this machine or its network`, bareHost(url));
}

async function resolve(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new SpellError("network", `Cannot resolve the name of the host: ${host}`, {
      cause,
      data: { host, unresolved: true, errno: errnoOf(cause) },
      hint: "Check the connection and the name",
    });
  }
}

/** Whether an entry other than `*` admits it: only that opens a local address. */
function isNamed(url: URL, rules: NetworkRules, address?: string): boolean {
  return rules.allowed.some((entry) => entry !== "*" && matchesHost(entry, url, address));
}

function matchesHost(entry: string, url: URL, address = bareHost(url)): boolean {
  const pattern = entry.trim().toLowerCase();
  if (pattern.includes("/")) return isIP(address) !== 0 && isInRange(address, pattern);
  if (pattern.startsWith("*.")) return bareHost(url).endsWith(pattern.slice(1));
  return pattern === "*" || pattern === bareHost(url) || pattern === hostAndPort(url);
}

/** Without the brackets of an IPv6 address and the dot at the end of a name. */
export function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

function hostAndPort(url: URL): string {
  return `${bareHost(url)}:${url.port || (url.protocol === "https:" ? 443 : 80)}`;
}

function networkDisabled(url: URL): SpellError {
  const error = new SpellError("permission_denied", `Network access is disabled: ${url.origin}`, {
    data: { host: bareHost(url), key: "runtime.security.allow_network_access", offline: true },
    hint: "Set runtime.security.allow_network_access to true in the configuration",
  });
  return refused("network", error);
}

function denied(url: URL, rule: string, host?: string): SpellError {
  const error = new SpellError("permission_denied", `URL validation failed: ${rule}: ${url.origin}`, {
    data: { origin: url.origin },
    ...(host === undefined
      ? {}
      : { hint: `To allow it, add "${host}" to tools.network.allowed_domains in the configuration` }),
  });
  return refused("network", error);
}
