/** A kernel in another process, over its WebSocket. What is sent is sent once: a lost connection ends what runs. */
import { get } from "node:http";
import { type ErrorJson, errorToJson, messageOf, SpellError } from "../core/errors.ts";
import type {
  ExecuteReply,
  ExecuteRequest,
  KernelClient,
  KernelReply,
  KernelRequest,
  RequestOptions,
} from "./api.ts";
import {
  type ClientMessage,
  type KernelMessage,
  readKernelMessage,
  WIRE_VERSION,
  writeMessage,
} from "./protocol/websocket.ts";
import { authorityOf } from "./transport/http/listener.ts";

export interface KernelAddress {
  host: string;
  port: number;
  token: string;
}

type Welcome = Extract<KernelMessage, { type: "welcome" }>;

interface Pending {
  options: RequestOptions;
  resolve: (reply: KernelReply) => void;
  /** With what a callback of the front end threw. */
  reject: (error: unknown) => void;
}

/** A dead peer on a network that says nothing is noticed after two of these. */
const PING_MS = 30_000;

/** What came while this process itself was blocked is heard within this time. */
const CATCH_UP_MS = 1000;

const START_HINT = "`llmspell kernel status` shows the kernels that run, `llmspell kernel start` starts one";

/** @throws SpellError network where none answers in time, or it refuses */
export async function connectKernel(
  address: KernelAddress,
  { timeoutMs = 5000 }: { timeoutMs?: number } = {},
): Promise<RemoteKernel> {
  const headers = { authorization: `Bearer ${address.token}` };
  const socket = new WebSocket(`ws://${authorityOf(address.host, address.port)}/`, { headers });
  const welcome = Promise.withResolvers<Welcome>();
  const timer = setTimeout(
    () => welcome.reject(cannotConnect(address, `no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  socket.onmessage = ({ data }) => {
    const message = readKernelMessage(String(data));
    if (message.type === "welcome") welcome.resolve(message);
    else welcome.reject(cannotConnect(address, "it is no kernel of llmspell"));
  };
  socket.onclose = () =>
    void reasonOf(address, headers).then((reason) => welcome.reject(cannotConnect(address, reason)));
  try {
    const greeting = await welcome.promise;
    if (greeting.protocol !== WIRE_VERSION)
      throw cannotConnect(
        address,
        `it speaks version ${greeting.protocol} of the protocol, not ${WIRE_VERSION}`,
      );
    return new RemoteKernel(socket, greeting);
  } catch (error) {
    socket.onclose = null;
    socket.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Why there is no WebSocket: a plain request is told so in words. */
function reasonOf({ host, port }: KernelAddress, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    get({ host, port, path: "/", headers, timeout: 1000 }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        if (body.length < 10_000) body += chunk;
      });
      response.on("end", () => resolve(refusalIn(body) ?? `it answers with status ${response.statusCode}`));
    })
      .on("timeout", () => resolve("it does not answer"))
      .on("error", (error) => resolve(messageOf(error)));
  });
}

function refusalIn(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function cannotConnect({ host, port }: KernelAddress, reason: string): SpellError {
  return new SpellError("network", `Cannot connect to the kernel at ${authorityOf(host, port)}: ${reason}`, {
    data: { host, port },
    hint: START_HINT,
  });
}

export class RemoteKernel implements KernelClient {
  readonly mode = "connected";
  readonly kernelId: string;
  readonly pid: number;
  private readonly pending = new Map<number, Pending>();
  private readonly maxMessageBytes: number;
  private readonly pinging: Timer;
  private lastId = 0;
  private heard = true;
  /** Why nothing can be asked any more. */
  private end: SpellError | undefined;
  private farewell: string | undefined;

  /** @param socket open, its welcome taken */
  constructor(
    private readonly socket: WebSocket,
    welcome: Welcome,
  ) {
    this.kernelId = welcome.kernel_id;
    this.pid = welcome.pid;
    this.maxMessageBytes = welcome.max_message_bytes;
    socket.onmessage = ({ data }) => this.take(String(data));
    socket.onclose = ({ reason }) => this.lost(reason);
    socket.addEventListener("pong", () => {
      this.heard = true;
    });
    this.pinging = setInterval(() => this.ping(), PING_MS);
    this.pinging.unref();
  }

  request(
    request: ExecuteRequest,
    options?: RequestOptions,
  ): Promise<ExecuteReply | { status: "error"; error: ErrorJson }>;
  request(request: KernelRequest, options?: RequestOptions): Promise<KernelReply>;
  async request(request: KernelRequest, options: RequestOptions = {}): Promise<KernelReply> {
    const { signal, onInput, isAttended } = options;
    const id = ++this.lastId;
    const cancel = () => this.send({ type: "cancel", id });
    try {
      if (this.end !== undefined) throw this.end;
      if (signal?.aborted) throw new SpellError("interrupted", "Interrupted");
      const message = writeMessage({
        type: "request",
        id,
        request: { ...request },
        input: onInput !== undefined,
        attended: isAttended?.() === true,
      });
      this.refuseTooLarge(message);
      const reply = new Promise<KernelReply>((resolve, reject) => {
        this.pending.set(id, { options, resolve, reject });
      });
      this.socket.send(message);
      signal?.addEventListener("abort", cancel, { once: true });
      return await reply;
    } catch (error) {
      if (error instanceof SpellError) return { status: "error", error: errorToJson(error) };
      throw error;
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.pending.delete(id);
    }
  }

  private refuseTooLarge(message: string): void {
    const bytes = Buffer.byteLength(message);
    if (bytes <= this.maxMessageBytes) return;
    throw new SpellError(
      "limit",
      `Cannot send the request: the kernel takes at most ${this.maxMessageBytes} bytes: ${bytes}`,
      { data: { limit: "message" }, hint: "Raise kernel.max_message_size_mb in the kernel's configuration" },
    );
  }

  private send(message: ClientMessage): void {
    if (this.end === undefined) this.socket.send(writeMessage(message));
  }

  private take(text: string): void {
    this.heard = true;
    const message = readKernelMessage(text);
    switch (message.type) {
      case "event":
        this.answer(message.id, ({ options }) => options.onEvent?.(message.event));
        return;
      case "reply":
        this.answer(message.id, ({ resolve }) => resolve(message.reply));
        return;
      case "input_request":
        this.answer(message.id, (pending) => void this.giveLine(message, pending));
        return;
      case "shutdown":
        this.farewell = message.message;
        return;
      case "error":
        this.farewell = message.error.message;
    }
  }

  /** Nothing is done for a request that has ended here. */
  private answer(id: number, act: (pending: Pending) => void): void {
    const pending = this.pending.get(id);
    if (pending === undefined) return;
    try {
      act(pending);
    } catch (error) {
      pending.reject(error);
      this.send({ type: "cancel", id });
    }
  }

  private async giveLine({ id, prompt }: { id: number; prompt: string }, pending: Pending): Promise<void> {
    try {
      const line = (await pending.options.onInput?.(prompt)) ?? null;
      if (this.pending.get(id) === pending) this.send({ type: "input_reply", id, line });
    } catch (error) {
      pending.reject(error);
      this.send({ type: "cancel", id });
    }
  }

  private ping(): void {
    if (!this.heard) {
      const giveUp = () => {
        if (!this.heard) this.socket.terminate();
      };
      setTimeout(giveUp, CATCH_UP_MS).unref();
      return;
    }
    this.heard = false;
    this.socket.ping();
  }

  private lost(reason: string): void {
    if (this.end !== undefined) return;
    clearInterval(this.pinging);
    const why = this.farewell ?? reason;
    this.end = new SpellError(
      "network",
      `Lost the connection to kernel ${this.kernelId}${why === "" ? "" : `: ${why}`}`,
      {
        data: { kernel_id: this.kernelId },
        hint: "What ran there may have been done in part and is not repeated; `llmspell kernel status` shows whether the kernel still runs",
      },
    );
    for (const { reject } of this.pending.values()) reject(this.end);
  }

  /** Leaves the kernel; it goes on. */
  async shutdown(): Promise<void> {
    if (this.end !== undefined) return;
    this.end = new SpellError("internal", "Cannot take a request: the connection was closed");
    clearInterval(this.pinging);
    this.socket.close(1000);
  }
}
