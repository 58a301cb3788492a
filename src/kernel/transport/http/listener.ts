/** A listening socket for HTTP, with bounds on what a client may send and how slowly. */
import { isIP } from "node:net";
import { SpellError } from "../../../core/errors.ts";

/** How long headers or a part of a body may take, and an unused connection stays open. */
const IDLE_SECONDS = 10;

/** How long the end of answers may take to reach their clients when the server ends. */
const LAST_WORDS_MS = 1000;

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections; those there are stay. */
  refuseMore(): void;
  /** Ends every connection, when what was answered is on its way. */
  close(): Promise<void>;
}

export interface Exchange {
  readonly request: Request;
  /** While an answer is made, nothing comes from a client, and nothing goes to it for a while. */
  waitLong(): void;
  /** The last of the answer is on its way: a client that does not take it is left. */
  waitShort(): void;
}

/**
 * @param host an address of this machine, or `localhost`
 * @param port 0: one that is free
 * @param maxBodyBytes bodies above this are cut off; an answer that says so is the handler's
 * @throws SpellError io where the port is taken or not allowed, or the address is not this machine's
 */
export function listen(
  { host, port, maxBodyBytes }: { host: string; port: number; maxBodyBytes: number },
  handle: (exchange: Exchange) => Promise<Response>,
): Listener {
  const hostname = host === "localhost" ? "127.0.0.1" : host;
  let server: Bun.Server<undefined>;
  try {
    server = Bun.serve({
      hostname,
      port,
      idleTimeout: IDLE_SECONDS,
      // the handler refuses what is too large in the shape of its answers, as long as it is not absurd
      maxRequestBodySize: maxBodyBytes * 2,
      development: false,
      reusePort: false, // without `development` Bun would let another process take the same port
      fetch: (request, self) =>
        handle({
          request,
          waitLong: () => self.timeout(request, 0),
          waitShort: () => self.timeout(request, IDLE_SECONDS),
        }),
      error: () => new Response(null, { status: 400 }), // a request without a usable address
    });
  } catch (error) {
    throw cannotListen(host, port, error);
  }
  return {
    host: hostname,
    port: server.port!,
    refuseMore: () => void server.stop(),
    async close() {
      const latestMs = performance.now() + LAST_WORDS_MS;
      while (server.pendingRequests > 0 && performance.now() < latestMs) await Bun.sleep(5);
      await server.stop(true);
    },
  };
}

/** The address as it stands in a URL. */
export function authorityOf(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

const REASONS: Readonly<Record<string, [reason: string, hint: string]>> = {
  EADDRINUSE: ["the port is in use", "Choose another one with --port, or 0 for any that is free"],
  EACCES: ["the port needs more rights", "Choose one above 1023 with --port"],
  EADDRNOTAVAIL: ["this machine has no such address", "Name one of its addresses with --host, or 127.0.0.1"],
  ENOTFOUND: ["the name leads nowhere", "Name an address of this machine with --host, or 127.0.0.1"],
};

/** What `Bun.serve` threw, in words. */
export function cannotListen(host: string, port: number, cause: unknown): SpellError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const [reason, hint] = REASONS[code] ?? [message, "Check --host and --port"];
  return new SpellError("io", `Cannot listen: ${reason}: ${authorityOf(host, port)}`, {
    data: { host, port },
    hint,
    cause,
  });
}
