/** Requests under the network rules: the address that was checked is the one connected to, at every redirect. */
import { messageOf, SpellError } from "../../core/errors.ts";
import { errnoOf } from "../../core/io-error.ts";
import { currentTape } from "../../core/tape.ts";
import { refused } from "../denial.ts";
import { trustedAuthorities } from "./authorities.ts";
import { proxyFor } from "./proxy.ts";
import { checkedAddresses, checkHost, type NetworkRules } from "./rules.ts";

export interface FetchOptions {
  rules: NetworkRules;
  env: Readonly<Record<string, string | undefined>>;
  /** Default: GET. The others must not follow redirects: they would be sent again. */
  method?: "GET" | "POST" | "DELETE";
  body?: string;
  headers?: Readonly<Record<string, string>>;
  /** Headers for one origin only, never sent elsewhere after a redirect. */
  secret?: { origin: string; headers: Readonly<Record<string, string>> } | undefined;
  maxRedirects: number;
  /** File of certificate authorities that the configuration names, besides those of the environment. */
  caFile?: string | undefined;
  signal: AbortSignal;
  /**
   * The request is the script's own: recorded, and in a replay answered from the recording. Default: false, and in a
   * replay it is refused: calls of models are recorded as such, downloads are none of the run's.
   */
  isTaped?: boolean;
}

export interface Fetched {
  response: Response;
  /** Where the answer came from, after redirects. */
  url: URL;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * The answer, whatever its status; its body has not been read.
 * @throws permission_denied, network, config for certificates that cannot be used, or the reason of `signal`
 */
export async function fetchChecked(start: URL, options: FetchOptions): Promise<Fetched> {
  const tape = currentTape();
  if (tape === undefined) return follow(start, options);
  if (options.isTaped) {
    const { fetchTaped } = await import("./taped.ts");
    return fetchTaped(tape, start, options, () => follow(start, options));
  }
  if (!tape.isReplay) return follow(start, options);
  throw new SpellError("network", `Cannot fetch: a replay sends nothing: ${start.origin}`, {
    data: { origin: start.origin },
    hint: "Run it without --replay",
  });
}

async function follow(start: URL, options: FetchOptions): Promise<Fetched> {
  let url = start;
  for (let hops = 0; ; hops++) {
    const response = await request(url, options);
    const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null;
    if (location === null) return { response, url };
    await response.body?.cancel();
    if (hops === options.maxRedirects) {
      throw new SpellError("network", `Cannot fetch: more than ${hops} redirects: ${start.origin}`, {
        data: { origin: start.origin, redirects: hops },
      });
    }
    url = redirected(url, location);
  }
}

function redirected(from: URL, location: string): URL {
  const url = URL.parse(location, from.href);
  if (url === null)
    throw new SpellError("network", `Cannot fetch: the redirect leads to no URL: ${from.origin}`);
  if (from.protocol === "https:" && url.protocol !== "https:") {
    const text = `URL validation failed: a redirect drops https: ${url.origin}`;
    throw refused("network", new SpellError("permission_denied", text, { data: { origin: url.origin } }));
  }
  return url;
}

async function request(url: URL, options: FetchOptions): Promise<Response> {
  const { rules, env, signal, method = "GET", body, caFile } = options;
  const headers = {
    ...options.headers,
    ...(options.secret?.origin === url.origin ? options.secret.headers : {}),
  };
  const common = {
    method,
    ...(body === undefined ? {} : { body }),
    redirect: "manual",
    keepalive: false,
    decompress: false,
    timeout: false,
    signal,
  } as const;
  const authorities = url.protocol === "https:" ? await trustedAuthorities(env, caFile) : undefined;
  const ca = authorities === undefined ? {} : { ca: authorities };
  const proxy = proxyFor(url, env);
  if (proxy !== undefined) {
    checkHost(url, rules);
    return attempt(url, () =>
      fetch(url.href, {
        ...common,
        headers,
        proxy: { url: proxy, respectNoProxy: false },
        ...(url.protocol === "https:" ? { tls: ca } : {}),
      } as RequestInit),
    );
  }
  const addresses = await checkedAddresses(url, rules);
  signal.throwIfAborted();
  let failure: unknown;
  for (const address of addresses) {
    const direct = new URL(url);
    direct.hostname = address.includes(":") ? `[${address}]` : address;
    try {
      return await attempt(url, () =>
        fetch(direct.href, {
          ...common,
          headers: { ...headers, Host: url.host },
          proxy: false,
          ...(url.protocol === "https:" ? { tls: { serverName: url.hostname, ...ca } } : {}),
        } as RequestInit),
      );
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}

async function attempt(url: URL, send: () => Promise<Response>): Promise<Response> {
  try {
    return await send();
  } catch (cause) {
    if (cause instanceof SpellError || (cause instanceof Error && cause.name === "AbortError")) throw cause;
    const errno = errnoOf(cause);
    const certificate = CERTIFICATES[errno ?? ""];
    // Bun's text tells the URL, which may carry a signature.
    throw new SpellError(
      "network",
      `Cannot connect: ${certificate ?? REASONS[errno ?? ""] ?? errno ?? messageOf(cause)}: ${url.origin}`,
      {
        data: { origin: url.origin, ...(errno === undefined ? {} : { errno }) },
        ...(certificate === undefined ? {} : { hint: CERTIFICATE_HINT }),
      },
    );
  }
}

const UNKNOWN_AUTHORITY = "its certificate comes from an authority that is not trusted here";
const CERTIFICATES: Record<string, string> = {
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};
const CERTIFICATE_HINT =
  "Name the PEM file of your own authority, with all that lies between, in SSL_CERT_FILE or in ca_file of the provider";

const REASONS: Record<string, string> = {
  ECONNREFUSED: "nothing answers at the address",
  ConnectionRefused: "nothing answers at the address",
  ECONNRESET: "the connection was cut",
  ConnectionClosed: "the connection was cut",
  ENETUNREACH: "there is no way to the network",
  ETIMEDOUT: "no answer in time",
};
