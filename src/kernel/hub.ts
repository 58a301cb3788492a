/**
 * What transports see of a kernel that listens: clients, their requests, and what everybody is told. All clients share
 * one interpreter; their executions take turns, first come first served, and other requests are answered meanwhile.
 */
import type { Log } from "../core/log.ts";
import type { EventService } from "../events/service.ts";
import type { KernelEvent, KernelReply, KernelRequest, RequestOptions } from "./api.ts";

export interface ClientName {
  /** Unique among the clients of a transport: the routing identity, the id of a connection. */
  id: string;
  /** For people: the transport and what the client calls itself. */
  name: string;
}

export interface HubRequestOptions extends RequestOptions {
  /** An execution that is not counted, and that other clients are not told of. */
  silent?: boolean;
  /** The request's turn has come. `executionCount` counts from 1; of an execution that is silent, the last one's. */
  onStart?: (executionCount: number) => void;
}

export interface ClientSession {
  /** Never throws: failures are replies. Refused with `limit` where there are too many clients, `interrupted` at the kernel's end. */
  request(request: KernelRequest, options?: HubRequestOptions): Promise<KernelReply>;
  /** Stops the execution that runs now, whoever asked for it. False where none runs. */
  interrupt(): boolean;
  /** The client is still there: a heartbeat. A client that says nothing for 60 s makes room for others. */
  touch(): void;
  /** The client has left: its requests are interrupted. Idempotent. */
  close(): void;
}

export interface HubStatus {
  id: string;
  pid: number;
  engine: "lua";
  state: "idle" | "busy" | "terminating";
  executionCount: number;
  clients: { id: string; name: string }[];
  startedAtMs: number;
  /** When the last request came or ended. */
  lastActivityMs: number;
}

/** Told to every transport, in order. `client` and `request` say whose it is. */
export type Broadcast =
  | {
      type: "started";
      client: ClientName;
      request: string;
      execution: { code: string | Uint8Array; count: number };
    }
  | { type: "event"; client: ClientName; request: string; event: KernelEvent }
  | { type: "ended"; client: ClientName; request: string; reply: KernelReply };

export interface KernelHub {
  readonly id: string;
  /** A client counts from its first request on; asking for `kernel_status` is none. */
  open(client: ClientName): ClientSession;
  status(): HubStatus;
  /** The bus, made at its first use. */
  events(): Promise<EventService>;
  /** Begins the orderly shutdown; resolves when the kernel has ended. A second call joins the first. */
  shutdown(reason: string, restart: boolean): Promise<void>;
  /** Executions of all clients that are not silent. @returns ends it */
  onBroadcast(listener: (broadcast: Broadcast) => void): () => void;
}

/** An address where a transport listens. `channel`: shell, iopub, stdin, control, hb, websocket, … */
export interface Endpoint {
  channel: string;
  host: string;
  port: number;
}

export interface ShutdownMessage {
  restart: boolean;
  status: "shutdown";
  message: string;
}

export interface Transport {
  readonly name: string;
  /** Listens. @throws SpellError io where a port is taken */
  start(): Promise<Endpoint[]>;
  notifyShutdown(message: ShutdownMessage): Promise<void>;
  /** Closes every connection. Idempotent. */
  stop(): Promise<void>;
}

/** What a transport is made with, beside the hub. */
export interface TransportSettings {
  ip: string;
  /** By channel; 0: any that is free. */
  ports: Readonly<Record<string, number>>;
  /** Signs Jupyter messages; its UTF-8 bytes are the key. */
  key: string;
  /** What WebSocket clients bring. */
  token: string;
  maxMessageBytes: number;
  log: Log;
}
