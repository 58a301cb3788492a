/** One ZMTP connection over a socket of Bun's: handshake, messages in, a bounded queue of messages out. */
import type { Socket } from "bun";
import {
  checkGreeting,
  encodeCommand,
  encodeMessage,
  encodeProperties,
  FrameReader,
  GREETING_BYTES,
  greeting,
  protocolError,
  readCommand,
  readProperties,
} from "./frames.ts";

export type SocketType = "ROUTER" | "DEALER" | "PUB" | "SUB" | "REP" | "REQ";

/** Which types may talk to which (rfc.zeromq.org/spec/28 and 29). */
const PARTNERS: Readonly<Record<SocketType, readonly string[]>> = {
  ROUTER: ["DEALER", "REQ", "ROUTER"],
  DEALER: ["ROUTER", "REP", "DEALER"],
  PUB: ["SUB", "XSUB"],
  SUB: ["PUB", "XPUB"],
  REP: ["REQ", "DEALER"],
  REQ: ["REP", "ROUTER"],
};

export interface Limits {
  maxMessageBytes: number;
  maxMessageFrames: number;
  /** What may wait for a peer that does not read. */
  maxQueuedBytes: number;
  /** How long a peer may take to say what it is. */
  handshakeMs: number;
}

export const LIMITS: Limits = {
  maxMessageBytes: 64 << 20,
  maxMessageFrames: 1024,
  maxQueuedBytes: 64 << 20,
  handshakeMs: 10_000,
};

/** Messages that wait are written together until there is so much. */
const JOINED_BYTES = 64 * 1024;

export interface ConnectionEvents {
  /** The handshake is done. May refuse the peer by closing the connection. */
  ready(connection: Connection): void;
  message(connection: Connection, frames: Uint8Array[]): void;
  /** Subscriptions of ZMTP 3.1, which come as commands. */
  command(connection: Connection, name: string, data: Uint8Array): void;
  /** Once for each connection; the reason where the peer broke a rule. */
  closed(connection: Connection, reason: string | undefined): void;
}

type BunSocket = Pick<Socket, "write" | "end" | "terminate" | "pause" | "resume">;

export class Connection {
  /** What the peer calls itself; empty where it leaves that to us. */
  identity: Uint8Array = new Uint8Array();

  private state: "greeting" | "handshake" | "ready" | "closed" = "greeting";
  private readonly reader: FrameReader;
  private frames: Uint8Array[] = [];
  private frameBytes = 0;
  private readonly queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private reason: string | undefined;
  private readonly handshakeTimer: Timer;

  constructor(
    private readonly socket: BunSocket,
    private readonly type: SocketType,
    ownIdentity: Uint8Array,
    private readonly limits: Limits,
    private readonly events: ConnectionEvents,
  ) {
    this.reader = new FrameReader(limits.maxMessageBytes);
    this.handshakeTimer = setTimeout(() => this.fail("no handshake in time"), limits.handshakeMs);
    this.write(greeting());
    const properties = { "Socket-Type": Buffer.from(type), Identity: ownIdentity };
    this.write(encodeCommand("READY", encodeProperties(properties)));
  }

  /** Bytes from the peer. */
  receive(chunk: Uint8Array): void {
    if (this.state === "closed") return;
    this.reader.append(chunk);
    try {
      if (this.state === "greeting") this.readGreeting();
      while (this.open && this.state !== "greeting") {
        const frame = this.reader.next();
        if (frame === undefined) return;
        if (frame.command) this.readCommand(frame.body);
        else this.readFrame(frame.body, frame.more);
      }
    } catch (error) {
      this.fail((error as Error).message);
    }
  }

  get open(): boolean {
    return this.state !== "closed";
  }

  private readGreeting(): void {
    const bytes = this.reader.peek(GREETING_BYTES);
    checkGreeting(bytes);
    if (bytes.length < GREETING_BYTES) return;
    this.reader.skip(GREETING_BYTES);
    this.state = "handshake";
  }

  private readCommand(body: Uint8Array): void {
    const { name, data } = readCommand(body);
    if (this.state === "handshake") this.handshake(name, data);
    else if (name === "PING") this.write(encodeCommand("PONG", data.subarray(2, 18)));
    else if (name === "ERROR") this.fail("the peer reports an error");
    else this.events.command(this, name, data);
  }

  private handshake(name: string, data: Uint8Array): void {
    if (name !== "READY") throw protocolError(`expected READY, got ${JSON.stringify(name.slice(0, 16))}`);
    const properties = readProperties(data);
    const peer = new TextDecoder("latin1").decode(properties.get("socket-type") ?? new Uint8Array());
    if (!PARTNERS[this.type].includes(peer))
      throw protocolError(`a ${this.type} socket does not talk to ${JSON.stringify(peer.slice(0, 16))}`);
    this.identity = properties.get("identity") ?? new Uint8Array();
    if (this.identity.length > 255) throw protocolError("an identity of more than 255 bytes");
    clearTimeout(this.handshakeTimer);
    this.state = "ready";
    this.events.ready(this);
  }

  private readFrame(body: Uint8Array, more: boolean): void {
    if (this.state !== "ready") throw protocolError("a message before the handshake");
    this.frames.push(body);
    this.frameBytes += body.length;
    if (this.frames.length > this.limits.maxMessageFrames)
      throw protocolError("a message of too many frames");
    if (this.frameBytes > this.limits.maxMessageBytes) throw protocolError("a message is too long");
    if (more) return;
    const { frames } = this;
    this.frames = [];
    this.frameBytes = 0;
    this.events.message(this, frames);
  }

  /** False where the peer has not read what waits for it: the message is dropped. */
  send(frames: readonly Uint8Array[]): boolean {
    return this.sendEncoded(encodeMessage(frames));
  }

  /** Like `send`, for bytes that go to several peers. */
  sendEncoded(bytes: Uint8Array): boolean {
    if (!this.open || this.queuedBytes + bytes.length > this.limits.maxQueuedBytes) return false;
    this.write(bytes);
    return true;
  }

  /**
   * Like `sendEncoded`, on its way at the end of this turn of the event loop: messages of one turn leave together, which
   * wakes the peer once, and what is sent at once goes before them.
   */
  sendSoon(bytes: Uint8Array): boolean {
    if (!this.enqueue(bytes)) return false;
    this.soon ??= setImmediate(() => this.drain());
    return true;
  }

  /** Like `sendSoon`, but a millisecond may pass, so that it leaves with what follows at once. */
  sendLater(bytes: Uint8Array): boolean {
    if (!this.enqueue(bytes)) return false;
    this.later ??= setTimeout(() => this.drain(), 1);
    return true;
  }

  private soon: NodeJS.Immediate | undefined;
  private later: Timer | undefined;

  private enqueue(bytes: Uint8Array): boolean {
    if (!this.open || this.queuedBytes + bytes.length > this.limits.maxQueuedBytes) return false;
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    return true;
  }

  private clearTimers(): void {
    clearImmediate(this.soon);
    clearTimeout(this.later);
    this.soon = undefined;
    this.later = undefined;
  }

  sendCommand(name: string, data: Uint8Array): void {
    this.write(encodeCommand(name, data));
  }

  private write(bytes: Uint8Array): void {
    const written = this.queue.length === 0 ? Math.max(0, this.socket.write(bytes)) : 0;
    if (written === bytes.length) return;
    this.queue.push(written === 0 ? bytes : bytes.subarray(written));
    this.queuedBytes += bytes.length - written;
  }

  /** The socket takes bytes again. */
  drain(): void {
    this.clearTimers();
    while (this.queue.length > 0) {
      const bytes = this.joined();
      const written = Math.max(0, this.socket.write(bytes));
      this.queuedBytes -= written;
      if (written < bytes.length) {
        this.queue[0] = bytes.subarray(written);
        return;
      }
      this.queue.shift();
    }
    if (this.drained !== undefined) this.drained();
  }

  /** What waits first; small messages in one piece, which then waits in their place. */
  private joined(): Uint8Array {
    let bytes = 0;
    let count = 0;
    while (count < this.queue.length && bytes < JOINED_BYTES) bytes += this.queue[count++]!.length;
    if (count > 1) this.queue.splice(0, count, Buffer.concat(this.queue.slice(0, count), bytes));
    return this.queue[0]!;
  }

  private drained: (() => void) | undefined;

  /** Resolves when what was sent is on its way, or the connection has ended. */
  flushed(): Promise<void> {
    if (!this.open || this.queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.drained = resolve;
    });
  }

  /** Stops reading until `resume`: what the peer sends waits on its side. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (this.open) this.socket.resume();
  }

  /** Ends the connection after a broken rule. */
  fail(reason: string): void {
    this.reason ??= reason;
    this.socket.terminate();
    this.ended();
  }

  close(): void {
    if (this.open) this.drain();
    this.socket.end();
    this.ended();
  }

  /** The socket has closed. */
  ended(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    clearTimeout(this.handshakeTimer);
    this.clearTimers();
    this.queue.length = 0;
    this.drained?.();
    this.events.closed(this, this.reason);
  }
}
