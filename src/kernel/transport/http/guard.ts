/** Who may ask: the Host and Origin of a request and its token. */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";

export interface GuardOptions {
  /** Names under which this server is reached, besides `localhost` and addresses. */
  hosts: readonly string[];
  /** Pages whose scripts may call: `https://example.org`, as a browser's Origin header says it. */
  origins: readonly string[];
  /** Undefined: everyone may call. */
  token: string | undefined;
}

export class Guard {
  private readonly hosts: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;
  private readonly tokenHash: Buffer | undefined;

  constructor({ hosts, origins, token }: GuardOptions) {
    this.hosts = new Set(["localhost", ...hosts.map((host) => host.toLowerCase())]);
    this.origins = new Set(origins);
    this.tokenHash = token === undefined ? undefined : hashOf(token);
  }

  /**
   * Whether the Host header names this server. A page that makes its own name lead here (DNS rebinding) sends that
   * name; an address cannot be made to lead elsewhere.
   */
  allowsHost(host: string | null): boolean {
    const name = /^(?:\[([0-9a-fA-F:.]+)\]|([^:@/\s,]+))(?::\d{1,5})?$/.exec(host ?? "");
    if (name === null) return false;
    const [, v6, other = ""] = name;
    if (v6 !== undefined) return isIP(v6) === 6;
    return isIP(other) === 4 || this.hosts.has(other.toLowerCase().replace(/\.$/, ""));
  }

  /** A request without an Origin comes from no page. */
  allowsOrigin(origin: string | null): boolean {
    return origin === null || this.origins.has(origin);
  }

  /** Takes the same time wherever the tokens differ. */
  allowsToken(authorization: string | null): boolean {
    if (this.tokenHash === undefined) return true;
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    return timingSafeEqual(hashOf(token ?? ""), this.tokenHash) && token !== undefined;
  }
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Headers that let the page of an allowed origin read the answer. */
export function corsHeaders(origin: string | null): Record<string, string> {
  if (origin === null) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "x-request-id, retry-after",
    vary: "Origin",
  };
}

const TOKEN_LIST = /^[\w!#$%&'*+.^`|~-]+( *, *[\w!#$%&'*+.^`|~-]+)*$/;

/** The answer to a preflight request of an allowed origin. */
export function preflightHeaders(request: Headers): Record<string, string> {
  const asked = request.get("access-control-request-headers") ?? "";
  return {
    ...corsHeaders(request.get("origin")),
    "access-control-allow-methods": "GET, POST, OPTIONS",
    ...(TOKEN_LIST.test(asked) ? { "access-control-allow-headers": asked } : {}),
    ...(request.get("access-control-request-private-network") === "true"
      ? { "access-control-allow-private-network": "true" }
      : {}),
    "access-control-max-age": "600",
  };
}
