/** The five channels of Jupyter over ZeroMQ. */
import type { Log } from "../../core/log.ts";
import { dataDirectory } from "../../core/paths.ts";
import { Burst } from "../../events/burst.ts";
import { ExecutionHistory } from "../history.ts";
import type { Endpoint, KernelHub, ShutdownMessage, Transport, TransportSettings } from "../hub.ts";
import { JupyterKernel } from "../protocol/jupyter/kernel.ts";
import { Signer } from "../protocol/jupyter/signing.ts";
import { LIMITS, type Limits } from "./zmq/connection.ts";
import type { ListenOptions } from "./zmq/listener.ts";
import { EchoSocket, PubSocket, RouterSocket } from "./zmq/sockets.ts";

/** Connections of one channel. */
const MAX_CONNECTIONS = 2000;
/** Requests of one connection that are not answered yet; above it nothing more is read from it. */
const MAX_UNANSWERED = 256;

interface Channels {
  shell: RouterSocket;
  iopub: PubSocket;
  stdin: RouterSocket;
  control: RouterSocket;
  hb: EchoSocket;
}

export class JupyterTransport implements Transport {
  readonly name = "jupyter";
  private readonly log: Log;
  private readonly kernel: JupyterKernel;
  private channels: Channels | undefined;
  private history: Promise<ExecutionHistory> | undefined;
  private readonly misses = new Burst();

  constructor(
    hub: KernelHub,
    private readonly settings: TransportSettings,
  ) {
    this.log = settings.log;
    this.kernel = new JupyterKernel({
      hub,
      signer: new Signer(settings.key),
      log: settings.log,
      history: () => {
        this.history ??= ExecutionHistory.open(dataDirectory());
        return this.history;
      },
      wire: {
        send: (channel, [identity, ...frames]) =>
          identity !== undefined && this.channels?.[channel].send(identity, frames) === true,
        publish: (frames, mayWait) => this.channels?.iopub.publish(frames, mayWait),
      },
    });
  }

  async start(): Promise<Endpoint[]> {
    const { ip: host } = this.settings;
    const made: { close(): Promise<void> }[] = [];
    const keep = <S extends { close(): Promise<void> }>(socket: S): S => {
      made.push(socket);
      return socket;
    };
    try {
      this.channels = {
        shell: keep(this.router("shell")),
        iopub: keep(new PubSocket(this.options("iopub"), (dropped) => this.missed(dropped))),
        stdin: keep(
          new RouterSocket(this.options("stdin"), (peer, frames) => this.receive("stdin", peer, frames)),
        ),
        control: keep(this.router("control")),
        hb: keep(new EchoSocket(this.options("hb"), () => this.kernel.beat())),
      };
    } catch (error) {
      await Promise.all(made.map((socket) => socket.close()));
      throw error;
    }
    this.kernel.starting();
    return Object.entries(this.channels).map(([channel, { port }]) => ({ channel, host, port }));
  }

  private missed(dropped: number): void {
    if (this.misses.begins())
      this.log.warn("kernel", "messages on iopub are dropped: a client does not read", { dropped });
  }

  private options(channel: keyof Channels): ListenOptions {
    const { ip: host, ports, maxMessageBytes } = this.settings;
    const limits: Limits = { ...LIMITS, maxMessageBytes };
    return {
      host,
      port: ports[channel] ?? 0,
      limits,
      maxConnections: MAX_CONNECTIONS,
      onBroken: (reason) => this.log.debug("kernel", "connection dropped", { channel, reason }),
    };
  }

  /** A channel of requests: a peer with many unanswered ones is not read from until some are. */
  private router(channel: "shell" | "control"): RouterSocket {
    const unanswered = new Map<string, number>();
    const socket: RouterSocket = new RouterSocket(
      this.options(channel),
      (peer, frames) => {
        const key = Buffer.from(peer).toString("latin1");
        const count = (unanswered.get(key) ?? 0) + 1;
        unanswered.set(key, count);
        if (count === MAX_UNANSWERED) socket.hold(peer, true);
        void this.receive(channel, peer, frames).finally(() => {
          const left = unanswered.get(key)! - 1;
          if (left === 0) unanswered.delete(key);
          else unanswered.set(key, left);
          if (left === MAX_UNANSWERED - 1) socket.hold(peer, false);
        });
      },
      (peer) => {
        if (channel === "shell") this.kernel.left(peer);
      },
    );
    return socket;
  }

  private receive(
    channel: "shell" | "control" | "stdin",
    peer: Uint8Array,
    frames: Uint8Array[],
  ): Promise<void> {
    return this.kernel.receive(channel, [peer, ...frames]);
  }

  async notifyShutdown(message: ShutdownMessage): Promise<void> {
    this.kernel.notifyShutdown(message);
  }

  async stop(): Promise<void> {
    const { channels } = this;
    if (channels === undefined) return;
    this.channels = undefined;
    this.kernel.stop();
    await Promise.all(Object.values(channels).map((socket: { close(): Promise<void> }) => socket.close()));
    (await this.history)?.close();
  }
}
