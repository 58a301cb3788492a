/** One client on a WebSocket: its requests that run, what it is sent, and when it is left. */
import type { ServerWebSocket } from "bun";
import { errorToJson, SpellError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { KernelEvent, KernelReply } from "../api.ts";
import type { ClientSession } from "../hub.ts";
import { checkRequest } from "../protocol/requests.ts";
import {
  CLOSE,
  type ClientMessage,
  type KernelMessage,
  readClientMessage,
  WIRE_VERSION,
  writeMessage,
} from "../protocol/websocket.ts";

/** What may wait for a client, whatever it is; one message may be larger. Beyond it the client is left. */
export const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** Above it a script's output waits until the client has read. */
const FULL_BYTES = 1024 * 1024;

/** A client that reads nothing for so long, while it has much to read, is left. */
const STALL_MS = 30_000;

/** Requests of one client that run or wait. */
export const MAX_RUNNING = 256;

/** Characters of printed text in one message, about. */
const MAX_JOINED = 64 * 1024;

type TextEvent = Extract<KernelEvent, { type: "stream" }> & { text: string };

interface Running {
  abort: AbortController;
  /** Takes the line that the script waits for. */
  input: ((line: Uint8Array | null) => void) | undefined;
}

export class WebSocketPeer {
  private readonly running = new Map<number, Running>();
  private isOpen = true;
  /** What a script printed and is not sent yet: one message for many lines. */
  private room: PromiseWithResolvers<void> | undefined;
  private printed: { id: number; event: TextEvent } | undefined;

  constructor(
    private readonly socket: ServerWebSocket<unknown>,
    private readonly session: ClientSession,
    private readonly log: Log,
  ) {}

  welcome(kernelId: string, maxMessageBytes: number): void {
    const limits = { max_message_bytes: maxMessageBytes };
    this.send({ type: "welcome", protocol: WIRE_VERSION, kernel_id: kernelId, pid: process.pid, ...limits });
  }

  touch(): void {
    this.session.touch();
  }

  receive(data: string | Uint8Array): void {
    this.touch();
    try {
      if (typeof data !== "string")
        throw new SpellError("invalid_argument", "Cannot read the message: it must be a text frame");
      this.take(readClientMessage(data));
    } catch (error) {
      const { code, message } = errorToJson(error);
      this.log.warn("kernel", "unreadable WebSocket message", { problem: message });
      this.send({ type: "error", error: { code, message } });
      this.end(CLOSE.unreadable, "the message cannot be read");
    }
  }

  private take(message: ClientMessage): void {
    const running = this.running.get(message.id);
    switch (message.type) {
      case "request":
        if (running !== undefined)
          throw new SpellError(
            "invalid_argument",
            `Cannot take the request: its id is in use: ${message.id}`,
          );
        void this.answer(message);
        return;
      case "cancel":
        running?.abort.abort(new SpellError("interrupted", "Interrupted"));
        return;
      case "input_reply":
        running?.input?.(lineOf(message.line));
    }
  }

  private async answer(message: Extract<ClientMessage, { type: "request" }>): Promise<void> {
    const { id } = message;
    const running: Running = { abort: new AbortController(), input: undefined };
    this.running.set(id, running);
    running.abort.signal.addEventListener("abort", () => running.input?.(null));
    const reply = await this.replyTo(message, running);
    this.running.delete(id);
    running.input?.(null);
    this.sendReply(id, reply);
  }

  private async replyTo(
    { id, request, input, attended = false }: Extract<ClientMessage, { type: "request" }>,
    running: Running,
  ): Promise<KernelReply> {
    try {
      if (this.running.size > MAX_RUNNING)
        throw new SpellError(
          "limit",
          `Cannot take the request: a client may have at most ${MAX_RUNNING} at once`,
          { data: { limit: "requests" } },
        );
      return await this.session.request(checkRequest(request), {
        signal: running.abort.signal,
        onEvent: (event) => this.sendEvent(id, event),
        room: () => this.untilRoom(),
        isAttended: () => attended,
        ...(input ? { onInput: (prompt: string) => this.askLine(id, prompt, running) } : {}),
      });
    } catch (error) {
      return { status: "error", error: errorToJson(error) };
    }
  }

  private askLine(id: number, prompt: string, running: Running): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      running.input = (line) => {
        running.input = undefined;
        resolve(line);
      };
      this.send({ type: "input_request", id, prompt });
    });
  }

  /** A reply that JSON cannot say is answered by why. */
  private sendReply(id: number, reply: KernelReply): void {
    try {
      this.send({ type: "reply", id, reply });
    } catch (error) {
      this.send({ type: "reply", id, reply: { status: "error", error: errorToJson(error) } });
    }
  }

  private sendEvent(id: number, event: KernelEvent): void {
    if (!isText(event)) {
      this.send({ type: "event", id, event });
      return;
    }
    const { printed } = this;
    if (
      printed?.id === id &&
      printed.event.stream === event.stream &&
      printed.event.text.length < MAX_JOINED
    ) {
      printed.event.text += event.text;
      return;
    }
    this.sendPrinted();
    this.printed = { id, event: { ...event } };
    setImmediate(() => this.sendPrinted());
  }

  private sendPrinted(): void {
    const { printed } = this;
    this.printed = undefined;
    if (printed !== undefined) this.send({ type: "event", ...printed });
  }

  send(message: KernelMessage): void {
    this.sendPrinted();
    if (!this.isOpen) return;
    if (this.socket.getBufferedAmount() > MAX_UNREAD_BYTES) {
      this.leave();
      return;
    }
    this.socket.send(writeMessage(message));
  }

  private untilRoom(): Promise<void> | undefined {
    const unreadBytes = this.socket.getBufferedAmount();
    if (!this.isOpen || unreadBytes < FULL_BYTES) return undefined;
    if (this.room === undefined) {
      this.room = Promise.withResolvers();
      setTimeout(() => this.leaveIfStalled(unreadBytes), STALL_MS).unref();
    }
    return this.room.promise;
  }

  /** The client has read something. */
  drained(): void {
    if (this.isOpen && this.socket.getBufferedAmount() >= FULL_BYTES) return;
    this.room?.resolve();
    this.room = undefined;
  }

  private leaveIfStalled(unreadBytes: number): void {
    if (this.room === undefined) return;
    const unreadNow = this.socket.getBufferedAmount();
    if (unreadNow < unreadBytes) setTimeout(() => this.leaveIfStalled(unreadNow), STALL_MS).unref();
    else this.leave();
  }

  /** A farewell would wait behind what the client does not read. */
  private leave(): void {
    this.log.warn("kernel", "a WebSocket client does not read and is left");
    this.isOpen = false;
    this.socket.terminate();
  }

  /** Ends the connection; `closed` follows. */
  end(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.socket.close(code, reason);
  }

  /** The connection has ended. */
  closed(): void {
    this.isOpen = false;
    this.drained();
    for (const { abort } of this.running.values())
      abort.abort(new SpellError("interrupted", "The client has left"));
    this.session.close();
  }
}

function isText(event: KernelEvent): event is TextEvent {
  return event.type === "stream" && typeof event.text === "string";
}

function lineOf(line: unknown): Uint8Array | null {
  if (line === null || line instanceof Uint8Array) return line;
  if (typeof line === "string") return new TextEncoder().encode(line);
  throw new SpellError("invalid_argument", `Cannot take the input: "line" must be text, bytes or null`);
}
