/** Other programs reach the kernel over a WebSocket: who is let in, and how much one of them may take. */
import type { ServerWebSocket } from "bun";
import { SpellError } from "../../core/errors.ts";
import type { Endpoint, KernelHub, ShutdownMessage, Transport, TransportSettings } from "../hub.ts";
import { CLOSE, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from "../protocol/websocket.ts";
import { Guard } from "./http/guard.ts";
import { cannotListen } from "./http/listener.ts";
import { WebSocketPeer } from "./websocket-peer.ts";

/** What Bun keeps for a client at most; a client is left long before (`websocket-peer.ts`). */
const BACKPRESSURE_BYTES = 1 << 30;

/**
 * A connection on which nothing came, not even the answer to a ping, for so long is closed. A command that waits for the
 * reader of its own output hears no pings.
 */
const IDLE_SECONDS = 300;

/** How long an unused connection that has not said what it wants stays open. */
const HANDSHAKE_SECONDS = 10;

interface Data {
  peer: WebSocketPeer | undefined;
}

export interface WebSocketOptions extends TransportSettings {
  /** Origins of pages that may connect; none without it. */
  origins?: readonly string[];
}

export class WebSocketTransport implements Transport {
  readonly name = "websocket";
  private readonly guard: Guard;
  private readonly peers = new Set<WebSocketPeer>();
  private server: Bun.Server<Data> | undefined;
  private connections = 0;

  constructor(
    private readonly hub: KernelHub,
    private readonly settings: WebSocketOptions,
  ) {
    const { token, origins = [] } = settings;
    if (token === "") throw new SpellError("internal", "Cannot listen for WebSocket clients without a token");
    this.guard = new Guard({ hosts: [], origins, token });
  }

  async start(): Promise<Endpoint[]> {
    const { ip, ports, maxMessageBytes } = this.settings;
    const port = ports.websocket ?? 0;
    try {
      this.server = Bun.serve<Data>({
        hostname: ip,
        port,
        development: false,
        reusePort: false, // without `development` Bun would let another process take the same port
        idleTimeout: HANDSHAKE_SECONDS,
        maxRequestBodySize: 1024,
        fetch: (request, server) => this.admit(request, server),
        error: () => new Response(null, { status: 400 }), // a request without a usable address
        websocket: {
          maxPayloadLength: maxMessageBytes,
          backpressureLimit: BACKPRESSURE_BYTES,
          idleTimeout: IDLE_SECONDS,
          sendPings: true,
          perMessageDeflate: false, // a small message would unpack into an endless one
          open: (socket) => this.open(socket),
          message: (socket, message) => socket.data.peer?.receive(message),
          ping: (socket) => socket.data.peer?.touch(),
          pong: (socket) => socket.data.peer?.touch(),
          drain: (socket) => socket.data.peer?.drained(),
          close: (socket) => this.closed(socket),
        },
      });
    } catch (cause) {
      throw cannotListen(ip, port, cause);
    }
    return [{ channel: "websocket", host: ip, port: this.server.port! }];
  }

  /** A refusal is JSON with its reason. */
  private admit(request: Request, server: Bun.Server<Data>): Response | undefined {
    const { headers } = request;
    const origin = headers.get("origin");
    if (!this.guard.allowsHost(headers.get("host")))
      return refuse(403, "The Host header names another server");
    if (!this.guard.allowsOrigin(origin))
      return refuse(403, `Pages of this origin may not connect: ${origin}`);
    const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((word) => word.trim());
    const token = offered.find((word) => word.startsWith(TOKEN_SUBPROTOCOL))?.slice(TOKEN_SUBPROTOCOL.length);
    const authorization = token === undefined ? headers.get("authorization") : `Bearer ${token}`;
    if (!this.guard.allowsToken(authorization))
      return refuse(401, "The token is missing or wrong: send the one of the connection file");
    const answer = offered.includes(SUBPROTOCOL)
      ? { headers: { "sec-websocket-protocol": SUBPROTOCOL } }
      : undefined;
    if (server.upgrade(request, { data: { peer: undefined }, ...answer })) return undefined;
    return refuse(426, "This address takes WebSocket connections only");
  }

  private open(socket: ServerWebSocket<Data>): void {
    const session = this.hub.open({ id: `websocket-${++this.connections}`, name: "websocket" });
    const peer = new WebSocketPeer(socket, session, this.settings.log);
    socket.data.peer = peer;
    this.peers.add(peer);
    peer.welcome(this.hub.id, this.settings.maxMessageBytes);
  }

  private closed(socket: ServerWebSocket<Data>): void {
    const { peer } = socket.data;
    if (peer === undefined) return;
    this.peers.delete(peer);
    peer.closed();
  }

  async notifyShutdown({ restart, message }: ShutdownMessage): Promise<void> {
    for (const peer of this.peers) peer.send({ type: "shutdown", restart, message });
  }

  async stop(): Promise<void> {
    for (const peer of this.peers) peer.end(CLOSE.ended, "the kernel has ended");
    const { server } = this;
    this.server = undefined;
    await server?.stop(true);
  }
}

function refuse(status: number, error: string): Response {
  const headers = status === 426 ? { upgrade: "websocket" } : {};
  return Response.json({ status: "error", error }, { status, headers });
}
