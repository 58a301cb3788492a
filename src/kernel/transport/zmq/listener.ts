/** A listening TCP port whose every connection speaks ZMTP: what ROUTER, PUB and REP share. */
import type { TCPSocketListener } from "bun";
import { listen } from "../../../core/early-ports.ts";
import { SpellError } from "../../../core/errors.ts";
import { Connection, type ConnectionEvents, type Limits, type SocketType } from "./connection.ts";

/** How long what was sent may take to reach its peers when the socket closes. */
const LINGER_MS = 1000;

export interface ListenOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  limits: Limits;
  /** Connections above it are ended as they come. */
  maxConnections: number;
  /** Told why a peer was dropped that broke a rule of the protocol. */
  onBroken?: (reason: string) => void;
}

type Events = Omit<ConnectionEvents, "closed"> & { closed?(connection: Connection): void };

export class ZmtpListener {
  readonly port: number;
  readonly connections = new Set<Connection>();
  private readonly server: TCPSocketListener<Connection | undefined>;

  /** @throws SpellError io where the port is taken or the address is not this machine's */
  constructor(type: SocketType, options: ListenOptions, events: Events) {
    const { host, port, limits, maxConnections, onBroken } = options;
    try {
      this.server = listen<Connection | undefined>({
        hostname: host,
        port,
        socket: {
          open: (socket) => {
            if (this.connections.size >= maxConnections) {
              socket.terminate();
              return;
            }
            const connection = new Connection(socket, type, new Uint8Array(), limits, {
              ...events,
              closed: (ended, reason) => {
                this.connections.delete(ended);
                if (reason !== undefined) onBroken?.(reason);
                events.closed?.(ended);
              },
            });
            this.connections.add(connection);
            socket.data = connection;
          },
          data: (socket, chunk) => socket.data?.receive(chunk),
          drain: (socket) => socket.data?.drain(),
          close: (socket) => socket.data?.ended(),
          error: (socket) => socket.data?.ended(),
        },
      });
    } catch (cause) {
      const inUse = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
      const reason = inUse ? "the port is in use" : (cause as Error).message;
      throw new SpellError("io", `Cannot listen: ${reason}: ${host}:${port}`, {
        data: { host, port },
        hint: "Choose another port, or 0 for any that is free",
        cause,
      });
    }
    this.port = this.server.port;
  }

  /** Takes no more connections and ends those there are, when what was sent is on its way. Idempotent. */
  async close(): Promise<void> {
    this.server.stop();
    const flushed = Promise.all([...this.connections].map((connection) => connection.flushed()));
    await Promise.race([flushed, Bun.sleep(LINGER_MS)]);
    for (const connection of [...this.connections]) connection.close();
  }
}
