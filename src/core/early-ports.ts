/** TCP ports that are open before the code is loaded that serves them: who connects meanwhile waits and is not refused. */
import type { Socket, SocketHandler, TCPSocketListener } from "bun";

// biome-ignore lint/suspicious/noExplicitAny: what a socket carries is its later owner's affair
type AnySocket = Socket<any>;

interface EarlyPort {
  server: TCPSocketListener<unknown>;
  /** Connections nobody has read from yet. */
  waiting: Set<AnySocket>;
}

const opened = new Map<string, EarlyPort>();

/** Opens a port ahead of `listen`. One that cannot be opened is left to it: it says why. */
export function openPortEarly(hostname: string, port: number): void {
  const waiting = new Set<AnySocket>();
  try {
    const server = Bun.listen({
      hostname,
      port,
      exclusive: true,
      socket: {
        open: (socket) => {
          socket.pause();
          waiting.add(socket);
        },
        data() {},
        close: (socket) => void waiting.delete(socket),
        error: (socket) => void waiting.delete(socket),
      },
    });
    opened.set(`${hostname}:${port}`, { server, waiting });
  } catch {
    // said by `listen`
  }
}

export interface Listening<T> {
  hostname: string;
  port: number;
  socket: SocketHandler<T> & { open(socket: Socket<T>): void };
}

/** Listens on the port, which may be open already. @throws Error with a code, as `Bun.listen` does */
export function listen<T>({ hostname, port, socket: handlers }: Listening<T>): TCPSocketListener<T> {
  const early = opened.get(`${hostname}:${port}`);
  if (early === undefined)
    return Bun.listen<T>({ hostname, port, exclusive: true, data: undefined as T, socket: handlers });
  opened.delete(`${hostname}:${port}`);
  const server = early.server as TCPSocketListener<T>;
  server.reload({ socket: handlers });
  for (const socket of early.waiting) {
    handlers.open(socket);
    socket.resume();
  }
  return server;
}

/** Closes the ports that were opened ahead and that nobody listens on. */
export function closeEarlyPorts(): void {
  for (const { server } of opened.values()) server.stop(true);
  opened.clear();
}
