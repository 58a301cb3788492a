/** How a cloud provider is reached, from its configuration table and what a call overrides. */
import { isIP } from "node:net";
import type { ProviderConfig } from "../../../config/schema.ts";
import { SpellError } from "../../../core/errors.ts";
import type { RetrySettings } from "../../../core/retry.ts";
import { isLoopback } from "../../../security/network/addresses.ts";
import { bareHost } from "../../../security/network/rules.ts";
import { retryOf } from "../../retry-settings.ts";
import type { ModelOverrides } from "../../service.ts";
import type { Vendor } from "./vendors.ts";

export interface TimeLimits {
  connectMs: number;
  /** Until an answer says something; of one that comes in one piece, until it is there. */
  beginMs: number;
  /** Between two pieces of what an answer says. */
  idleMs: number;
}

const CONNECT_SECONDS = 10;
/** Models that think say nothing for minutes. */
const BEGIN_SECONDS = 300;
const IDLE_SECONDS = 60;
const RETRY = { maxRetries: 3, initialDelayMs: 1000, maxDelayMs: 30_000 };

export function timeLimits(settings: ProviderConfig): TimeLimits {
  const { timeout_seconds, connect_timeout_seconds, idle_timeout_seconds } = settings;
  const begin = timeout_seconds ?? BEGIN_SECONDS;
  return {
    connectMs: Math.min(connect_timeout_seconds ?? CONNECT_SECONDS, begin) * 1000,
    beginMs: begin * 1000,
    idleMs: (idle_timeout_seconds ?? IDLE_SECONDS) * 1000,
  };
}

/** As `retryOf`, for services on the Internet. */
export function retrySettings(settings: ProviderConfig, { maxRetries }: ModelOverrides): RetrySettings {
  return retryOf(settings, RETRY, maxRetries);
}

export interface Address {
  /** Without a slash at the end. */
  url: string;
  /** The configuration or the vendor names it: network rules let it pass. */
  isOwn: boolean;
  /** A script names it, and it is on this machine. */
  isNear: boolean;
  /** It lies where the configured key belongs. */
  takesKey: boolean;
}

/**
 * A key of the configuration goes to the address of the configuration, or stays on this machine; an address that a script
 * gives gets the key that the script gives.
 * @param provider key of the configuration table
 * @throws config for an address that is none
 */
export function addressOf(
  provider: string,
  vendor: Vendor,
  { base_url }: ProviderConfig,
  { baseUrl }: ModelOverrides,
): Address {
  const configured = base_url === undefined || base_url === "" ? vendor.baseUrl : base_url;
  if (baseUrl !== undefined && baseUrl !== "") {
    const given = parse(baseUrl, vendor, 'Correct "base_url" of the agent');
    const isSame = configured !== undefined && URL.parse(configured)?.origin === given.origin;
    const isNear = isThisMachine(given);
    return { url: textOf(given), isOwn: isSame, isNear, takesKey: isSame || isNear };
  }
  if (configured === undefined)
    throw new SpellError("config", `Provider '${provider}' is not configured: it has no base_url`, {
      data: { provider },
    });
  const url = parse(configured, vendor, `Correct base_url in [providers.${provider}]`);
  return { url: textOf(url), isOwn: true, isNear: false, takesKey: true };
}

/** Where only a host is named, the path is the vendor's. */
function parse(text: string, vendor: Vendor, hint: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new SpellError("config", `Cannot use base_url: it must be an http or https URL: ${text}`, { hint });
  if (url.pathname === "/") url.pathname = vendor.path;
  return url;
}

const textOf = (url: URL): string => url.href.replace(/\/+$/, "");

function isThisMachine(url: URL): boolean {
  const host = bareHost(url);
  return host === "localhost" || (isIP(host) !== 0 && isLoopback(host));
}
