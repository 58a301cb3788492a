/** The listening ZeroMQ sockets of a Jupyter kernel: ROUTER, PUB and REP. */
import { type Connection, LIMITS } from "./connection.ts";
import { encodeMessage } from "./frames.ts";
import { type ListenOptions, ZmtpListener } from "./listener.ts";

const ignore = () => {};

/** Messages from many peers, each with its identity; answers go to the peer that is named. */
export class RouterSocket {
  private readonly listener: ZmtpListener;
  private readonly peers = new Map<string, Connection>();
  private unnamed = 0;

  constructor(
    options: ListenOptions,
    onMessage: (identity: Uint8Array, frames: Uint8Array[]) => void,
    onLeft: (identity: Uint8Array) => void = ignore,
  ) {
    this.listener = new ZmtpListener("ROUTER", options, {
      ready: (peer) => this.welcome(peer),
      message: (peer, frames) => onMessage(peer.identity, frames),
      command: ignore,
      closed: (peer) => {
        const key = keyOf(peer.identity);
        if (this.peers.get(key) !== peer) return;
        this.peers.delete(key);
        onLeft(peer.identity);
      },
    });
  }

  get port(): number {
    return this.listener.port;
  }

  /** Like libzmq's, a second peer of the same identity is turned away: nobody takes over another's answers. */
  private welcome(peer: Connection): void {
    if (peer.identity.length === 0) peer.identity = this.madeUp();
    else if (peer.identity[0] === 0) peer.fail("an identity that begins with zero");
    else if (this.peers.has(keyOf(peer.identity))) peer.fail("an identity that is in use");
    if (peer.open) this.peers.set(keyOf(peer.identity), peer);
  }

  private madeUp(): Uint8Array {
    const identity = new Uint8Array(5);
    new DataView(identity.buffer).setUint32(1, ++this.unnamed);
    return identity;
  }

  /**
   * False where the peer has gone or has left too much unread. Then it is dropped: a client that misses a reply would
   * wait for ever, one whose connection ends can tell.
   */
  send(identity: Uint8Array, frames: readonly Uint8Array[]): boolean {
    const peer = this.peers.get(keyOf(identity));
    if (peer === undefined) return false;
    if (!peer.send(frames)) peer.fail("too much was left unread");
    return peer.open;
  }

  /** Stops or goes on reading what the peer sends. */
  hold(identity: Uint8Array, held: boolean): void {
    const peer = this.peers.get(keyOf(identity));
    if (held) peer?.pause();
    else peer?.resume();
  }

  close(): Promise<void> {
    return this.listener.close();
  }
}

function keyOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Messages to all that subscribed to their beginning. A subscriber that does not read misses what is beyond its queue. */
export class PubSocket {
  private readonly listener: ZmtpListener;
  private readonly subscriptions = new Map<Connection, Uint8Array[]>();
  /** Messages that subscribers missed, since the start. */
  dropped = 0;

  /** @param onDropped told of each, with their number so far */
  constructor(
    options: ListenOptions,
    private readonly onDropped: (dropped: number) => void = ignore,
  ) {
    this.listener = new ZmtpListener("PUB", options, {
      ready: (peer) => this.subscriptions.set(peer, []),
      message: (peer, [body]) => {
        if (body?.[0] === 1) this.subscribe(peer, body.subarray(1));
        else if (body?.[0] === 0) this.cancel(peer, body.subarray(1));
      },
      command: (peer, name, data) => {
        if (name === "SUBSCRIBE") this.subscribe(peer, data.slice());
        else if (name === "CANCEL") this.cancel(peer, data);
      },
      closed: (peer) => this.subscriptions.delete(peer),
    });
  }

  get port(): number {
    return this.listener.port;
  }

  private subscribe(peer: Connection, prefix: Uint8Array): void {
    const prefixes = this.subscriptions.get(peer)!;
    if (prefixes.length < LIMITS.maxMessageFrames) prefixes.push(prefix);
    else peer.fail("too many subscriptions");
  }

  private cancel(peer: Connection, prefix: Uint8Array): void {
    const prefixes = this.subscriptions.get(peer)!;
    const at = prefixes.findIndex((known) => Buffer.compare(known, prefix) === 0);
    if (at !== -1) prefixes.splice(at, 1);
  }

  /** @param mayWait it may leave a millisecond later, with what follows */
  publish(frames: readonly Uint8Array[], mayWait = false): void {
    let bytes: Uint8Array | undefined;
    for (const [peer, prefixes] of this.subscriptions) {
      if (!prefixes.some((prefix) => startsWith(frames[0]!, prefix))) continue;
      bytes ??= encodeMessage(frames);
      if (!(mayWait ? peer.sendLater(bytes) : peer.sendSoon(bytes))) this.onDropped(++this.dropped);
    }
  }

  close(): Promise<void> {
    return this.listener.close();
  }
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.length === 0 || Buffer.compare(bytes.subarray(0, prefix.length), prefix) === 0;
}

/** Sends every message back to where it came from: Jupyter's heartbeat. */
export class EchoSocket {
  private readonly listener: ZmtpListener;

  constructor(options: ListenOptions, onBeat: () => void = ignore) {
    this.listener = new ZmtpListener("REP", options, {
      ready: ignore,
      message: (peer, frames) => {
        onBeat();
        if (!peer.send(frames)) peer.fail("too much was left unread");
      },
      command: ignore,
    });
  }

  get port(): number {
    return this.listener.port;
  }

  close(): Promise<void> {
    return this.listener.close();
  }
}
