/** The connecting ZeroMQ sockets of a Jupyter client: DEALER, SUB and REQ. */
import { SpellError } from "../../../core/errors.ts";
import { Connection, LIMITS, type Limits, type SocketType } from "./connection.ts";
import { encodeMessage } from "./frames.ts";

export interface ClientOptions {
  type: Extract<SocketType, "DEALER" | "SUB" | "REQ">;
  host: string;
  port: number;
  /** What a ROUTER knows this peer by; empty: it makes one up. */
  identity?: Uint8Array;
  limits?: Limits;
  onMessage: (frames: Uint8Array[]) => void;
  /** The connection has ended, by us or the peer. */
  onClose?: (reason: string | undefined) => void;
}

export interface ClientSocket {
  /** False where the connection has ended or too much waits. A REQ's messages begin with an empty frame, put by the caller. */
  send(frames: readonly Uint8Array[]): boolean;
  /** Resolves when what was sent is on its way. */
  flushed(): Promise<void>;
  close(): void;
}

const SUBSCRIBE_TO_ALL = encodeMessage([Uint8Array.of(1)]);

/** Connects once and waits for the handshake; a SUB is subscribed to everything. @throws SpellError network */
export async function connectZmtp(options: ClientOptions): Promise<ClientSocket> {
  const { type, host, port, identity = new Uint8Array(), limits = LIMITS, onMessage, onClose } = options;
  const { promise: ready, resolve, reject } = Promise.withResolvers<ClientSocket>();
  const cannot = (reason: string, cause?: unknown) =>
    new SpellError("network", `Cannot connect: ${reason}: ${host}:${port}`, {
      hint: "See `llmspell kernel status` for the kernels that run",
      ...(cause === undefined ? {} : { cause }),
    });
  await Bun.connect<Connection | undefined>({
    hostname: host,
    port,
    data: undefined,
    socket: {
      open: (socket) => {
        socket.data = new Connection(socket, type, identity, limits, {
          ready: (connection) => {
            if (type === "SUB") connection.sendEncoded(SUBSCRIBE_TO_ALL);
            resolve(connection);
          },
          message: (_connection, frames) => onMessage(frames),
          command: () => {},
          closed: (_connection, reason) => {
            reject(cannot(reason ?? "the peer ended the connection"));
            onClose?.(reason);
          },
        });
      },
      data: (socket, chunk) => socket.data?.receive(chunk),
      drain: (socket) => socket.data?.drain(),
      close: (socket) => socket.data?.ended(),
      error: (socket) => socket.data?.ended(),
      connectError: (_socket, cause) => reject(cannot(cause.message, cause)),
    },
  }).catch((cause: Error) => reject(cannot(cause.message, cause)));
  return ready;
}
