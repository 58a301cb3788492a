/** A kernel as Jupyter's clients see it: every message of the protocol, whatever carries the frames. */
import { errorToJson, messageOf, SpellError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import type { ExecutionHistory } from "../../history.ts";
import type { Broadcast, KernelHub, ShutdownMessage } from "../../hub.ts";
import { Clients } from "./clients.ts";
import { errorFields } from "./display.ts";
import { ExecutionOutput, type Publish } from "./execution.ts";
import { Inputs } from "./inputs.ts";
import { type Fields, jsonBytes, type Message, readMessage, writeMessage } from "./message.ts";
import { CONTROL, customHandler, type Exchange, SHELL } from "./requests.ts";
import type { Signer } from "./signing.ts";

export type Channel = "shell" | "control" | "stdin";

/** What carries the frames. */
export interface Wire {
  /** The first frame is the peer's identity. False where it has gone. */
  send(channel: Channel, frames: readonly Uint8Array[]): boolean;
  /** To everybody who listens. */
  /** @param mayWait it may leave a little later, with what follows */
  publish(frames: readonly Uint8Array[], mayWait: boolean): void;
}

export interface JupyterOptions {
  hub: KernelHub;
  wire: Wire;
  signer: Signer;
  log: Log;
  history: () => Promise<ExecutionHistory>;
}

/** Peers whose bad messages were logged; beyond it nothing more is. */
const MAX_LOGGED_PEERS = 1000;

export class JupyterKernel {
  private readonly clients: Clients;
  private readonly inputs = new Inputs();
  private readonly distrusted = new Set<string>();
  /** Requests of ours that run, by `msg_id`: what they do is told to their client with its own header. */
  private readonly running = new Map<string, Exchange>();
  /** Executions of other transports' clients. */
  private readonly foreign = new Map<string, ForeignExecution>();
  private readonly stopListening: () => void;

  constructor(private readonly options: JupyterOptions) {
    this.clients = new Clients(options.hub);
    this.stopListening = options.hub.onBroadcast((broadcast) => this.hear(broadcast));
  }

  /** Handles one message; resolves when it has been answered. Never throws. */
  async receive(channel: Channel, frames: readonly Uint8Array[]): Promise<void> {
    let message: Message;
    try {
      message = readMessage(frames, this.options.signer);
    } catch (error) {
      this.distrust(frames[0] ?? new Uint8Array(), error);
      return;
    }
    if (channel === "stdin") {
      if (message.header.msg_type === "input_reply") this.inputs.answer(message);
      return;
    }
    if (message.header.msg_type.startsWith("comm_") && message.header.msg_type !== "comm_info_request")
      return;
    await this.answer(channel, message);
  }

  private distrust(identity: Uint8Array, error: unknown): void {
    const peer = Buffer.from(identity).toString("hex");
    if (this.distrusted.has(peer) || this.distrusted.size >= MAX_LOGGED_PEERS) return;
    this.distrusted.add(peer);
    this.options.log.warn("kernel", "message dropped; further ones of this peer are dropped in silence", {
      peer,
      reason: messageOf(error),
    });
  }

  private async answer(channel: "shell" | "control", message: Message): Promise<void> {
    const { msg_type: type, msg_id: id } = message.header;
    const handlers = channel === "shell" ? SHELL : CONTROL;
    const publish = this.publisher(message.headerBytes, message.header.session);
    const exchange: Exchange = {
      message,
      publish,
      hub: this.options.hub,
      history: this.options.history,
      client: () => this.clients.of(message),
      busy: once(() => publish("status", { execution_state: "busy" })),
      reply: once((content) =>
        this.send(channel, message, type.replace(/(_request)?$/, "_reply"), content as object),
      ),
      ask: (prompt) =>
        this.inputs.ask(message, () =>
          this.send("stdin", message, "input_request", { prompt, password: false }),
        ),
    };
    const handler = Object.hasOwn(handlers, type) ? handlers[type]! : customHandler(channel, message);
    const waits = handler !== undefined && type === "execute_request";
    if (!waits) exchange.busy();
    this.running.set(id, exchange);
    try {
      if (handler === undefined) exchange.reply(unknownMessage(type, channel));
      else exchange.reply(await handler(exchange));
    } catch (error) {
      if (!(error instanceof SpellError))
        this.options.log.warn("kernel", "a Jupyter request failed", {
          type,
          stack: error instanceof Error ? error.stack : undefined,
        });
      const json = errorToJson(error);
      exchange.reply({ status: "error", ...errorFields(json, nameOf(json.code)) });
    } finally {
      this.running.delete(id);
      if (waits) this.inputs.forget(message);
      exchange.busy();
      publish("status", { execution_state: "idle" });
    }
  }

  private send(channel: Channel, to: Message, type: string, content: object): void {
    const { identities, headerBytes: parent, header } = to;
    const out = { identities, type, session: header.session, parent, content: { ...content } };
    this.options.wire.send(channel, writeMessage(out, this.options.signer));
  }

  private publisher(parent: Uint8Array | undefined, session: string): Publish {
    return (type, content, metadata) => {
      const topic = new TextEncoder().encode(`kernel.${this.options.hub.id}.${type}`);
      const out = {
        identities: [topic],
        type,
        session,
        content,
        ...(parent === undefined ? {} : { parent }),
        ...(metadata === undefined ? {} : { metadata }),
      };
      this.options.wire.publish(writeMessage(out, this.options.signer), isBeginning(type, content));
    };
  }

  /** What clients of other transports execute is seen by all who listen, under a header of theirs. */
  private hear(broadcast: Broadcast): void {
    const { request } = broadcast;
    const own = this.running.get(request);
    if (own !== undefined) {
      if (broadcast.type === "ended") own.ended?.(broadcast.reply);
      return;
    }
    if (broadcast.type === "started") {
      const parent = jsonBytes({
        msg_id: request,
        msg_type: "execute_request",
        session: broadcast.client.id,
        username: broadcast.client.name,
      });
      const publish = this.publisher(parent, broadcast.client.id);
      const output = new ExecutionOutput(publish, false);
      const { code, count } = broadcast.execution;
      this.foreign.set(request, { publish, output, count });
      publish("status", { execution_state: "busy" });
      output.started(typeof code === "string" ? code : new TextDecoder().decode(code), count);
      return;
    }
    const execution = this.foreign.get(request);
    if (execution === undefined) return;
    if (broadcast.type === "event") execution.output.event(broadcast.event);
    else {
      this.foreign.delete(request);
      execution.output.ended(broadcast.reply, execution.count, false);
      execution.publish("status", { execution_state: "idle" });
    }
  }

  starting(): void {
    this.publisher(undefined, this.options.hub.id)("status", { execution_state: "starting" });
  }

  notifyShutdown(message: ShutdownMessage): void {
    const publish = this.publisher(undefined, this.options.hub.id);
    publish("shutdown_notification", { ...message });
    publish("status", { execution_state: "dead" });
  }

  /** The peer of this identity has closed its shell connection. */
  left(identity: Uint8Array): void {
    this.clients.left(identity);
  }

  /** The heartbeat of somebody: those who are connected are there. */
  beat(): void {
    this.clients.touch();
  }

  stop(): void {
    this.stopListening();
    this.clients.close();
  }
}

/** What tells that a cell begins: its end often follows at once. */
const isBeginning = (type: string, { execution_state: state }: Fields): boolean =>
  type === "execute_input" || state === "busy";

interface ForeignExecution {
  publish: Publish;
  output: ExecutionOutput;
  count: number;
}

function once<A extends unknown[]>(act: (...args: A) => void): (...args: A) => void {
  let done = false;
  return (...args) => {
    if (!done) act(...args);
    done = true;
  };
}

function unknownMessage(type: string, channel: string): Record<string, unknown> {
  const error = {
    code: "invalid_argument" as const,
    message: `Cannot take the message: no such type on ${channel}: ${type}`,
  };
  return { status: "error", ...errorFields(error, "UnknownMessage") };
}

/** Failures of requests other than executions: `not_found` → `NotFound`. */
function nameOf(code: string): string {
  return code.replace(/(?:^|_)(\w)/g, (_all, letter: string) => letter.toUpperCase());
}
