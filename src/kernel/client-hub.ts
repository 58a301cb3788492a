/** The clients of a kernel that listens, and the order in which their requests are answered. */
import { randomUUID } from "node:crypto";
import { correlated } from "../core/correlation.ts";
import { errorToJson, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { EventService } from "../events/service.ts";
import type { ExecuteRequest, KernelClient, KernelReply, KernelRequest } from "./api.ts";
import type { RequestMetrics } from "./health/request-metrics.ts";
import type { Broadcast, ClientName, ClientSession, HubRequestOptions, HubStatus, KernelHub } from "./hub.ts";
import type { OperationGuard, Operations } from "./operations.ts";

/** A client that said nothing for so long makes room for another. */
const INACTIVE_AFTER_MS = 60_000;

export interface HubLimits {
  maxClients: number;
  /** For one execution. */
  executionMs: number;
}

export interface HubOptions {
  id: string;
  kernel: KernelClient & { events(): Promise<EventService> };
  operations: Operations;
  metrics: RequestMetrics;
  log: Log;
  /** As the configuration stands now. */
  limits: () => HubLimits;
  /** Answers `kernel_status`. */
  report: () => KernelReply;
  shutdown: (reason: string, restart: boolean) => Promise<void>;
}

/** A request that was let in. */
type Begun = HubRequestOptions & { id: string; operation: OperationGuard };

interface Client {
  readonly name: ClientName;
  /** Its requests that are being answered. */
  readonly operations: Set<OperationGuard>;
  lastSeenMs: number;
  hasLeft: boolean;
}

export class ClientHub implements KernelHub {
  private readonly clients = new Set<Client>();
  private readonly listeners = new Set<(broadcast: Broadcast) => void>();
  private readonly startedAtMs = Date.now();
  private turn: Promise<unknown> = Promise.resolve();
  private current: OperationGuard | undefined;
  private executions = 0;
  private running = 0;
  private lastActivityMs = Date.now();

  constructor(private readonly options: HubOptions) {}

  get id(): string {
    return this.options.id;
  }

  status(): HubStatus {
    return {
      id: this.id,
      pid: process.pid,
      engine: "lua",
      state: this.options.operations.refusing ? "terminating" : this.running > 0 ? "busy" : "idle",
      executionCount: this.executions,
      clients: [...this.clients].map(({ name }) => name),
      startedAtMs: this.startedAtMs,
      lastActivityMs: this.running > 0 ? Date.now() : this.lastActivityMs,
    };
  }

  shutdown(reason: string, restart: boolean): Promise<void> {
    return this.options.shutdown(reason, restart);
  }

  events(): Promise<EventService> {
    return this.options.kernel.events();
  }

  onBroadcast(listener: (broadcast: Broadcast) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Stops the execution that runs now. False where none does. */
  interrupt(): boolean {
    this.current?.abort(new SpellError("interrupted", "Interrupted"));
    return this.current !== undefined;
  }

  open(name: ClientName): ClientSession {
    const client: Client = { name, operations: new Set(), lastSeenMs: Date.now(), hasLeft: false };
    return {
      request: (request, options = {}) => this.answer(client, request, options),
      interrupt: () => this.interrupt(),
      touch: () => {
        client.lastSeenMs = Date.now();
      },
      close: () => {
        client.hasLeft = true;
        this.clients.delete(client);
        for (const operation of client.operations) operation.abort(hasLeft());
      },
    };
  }

  /** At its first request, and at its next one when it had made room for others. @throws SpellError limit */
  private register(client: Client): void {
    client.lastSeenMs = Date.now();
    if (this.clients.has(client)) return;
    const { maxClients } = this.options.limits();
    if (this.clients.size >= maxClients) {
      const oldest = Date.now() - INACTIVE_AFTER_MS;
      for (const other of this.clients)
        if (other.operations.size === 0 && other.lastSeenMs < oldest) this.clients.delete(other);
    }
    if (this.clients.size >= maxClients)
      throw new SpellError("limit", `Cannot take another client: kernel.max_clients is ${maxClients}`, {
        data: { limit: "clients", max_clients: maxClients },
        hint: "Close one, or start the kernel with a larger --max-clients",
      });
    this.clients.add(client);
  }

  private async answer(
    client: Client,
    request: KernelRequest,
    options: HubRequestOptions,
  ): Promise<KernelReply> {
    const id = options.id ?? randomUUID();
    try {
      if (request.type === "kernel_status") return this.options.report();
      if (client.hasLeft) throw hasLeft();
      this.register(client);
      using operation = this.options.operations.begin();
      const { signal } = options;
      const stop = () => operation.abort(signal?.reason);
      signal?.addEventListener("abort", stop, { once: true });
      if (signal?.aborted) stop();
      client.operations.add(operation);
      try {
        return await correlated(id, () => this.measure(client, request, { ...options, id, operation }));
      } finally {
        client.operations.delete(operation);
        signal?.removeEventListener("abort", stop);
      }
    } catch (error) {
      return { status: "error", error: errorToJson(error) };
    }
  }

  private async measure(
    client: Client,
    request: KernelRequest,
    { operation, ...asked }: Begun,
  ): Promise<KernelReply> {
    const options = { ...asked, signal: operation.signal };
    const arrivedMs = performance.now();
    let begunMs = arrivedMs;
    this.running++;
    try {
      const onBegin = () => {
        begunMs = performance.now();
      };
      const reply =
        request.type === "execute"
          ? await this.inTurn(options.signal, () =>
              this.execute(client, request, { ...options, operation }, onBegin),
            )
          : request.type === "reset"
            ? await this.inTurn(options.signal, () => this.options.kernel.request(request, options))
            : await this.options.kernel.request(request, options);
      this.record(client, request, reply, begunMs - arrivedMs, performance.now() - begunMs);
      return reply;
    } finally {
      this.running--;
      client.lastSeenMs = this.lastActivityMs = Date.now();
    }
  }

  private record(
    client: Client,
    { type }: KernelRequest,
    reply: KernelReply,
    waitMs: number,
    durationMs: number,
  ) {
    const failed = reply.status === "error" && reply.error.code !== "interrupted";
    this.options.metrics.record({ type, waitMs, durationMs, failed });
    this.options.log.debug("kernel", "request answered", {
      type,
      client: client.name.name,
      status: reply.status,
      duration_ms: Math.round(durationMs * 1000) / 1000,
    });
  }

  /** Executions take turns; one that is cancelled while it waits leaves at once. */
  private async inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.turn;
    const mine = Promise.withResolvers<void>();
    this.turn = before.then(() => mine.promise);
    try {
      await orAbort(before, signal);
      return await work();
    } finally {
      mine.resolve();
    }
  }

  private async execute(
    client: Client,
    request: ExecuteRequest,
    { silent = false, onStart, operation, ...options }: Begun,
    onBegin: () => void,
  ): Promise<KernelReply> {
    const { executionMs } = this.options.limits();
    const timer = setTimeout(() => operation.abort(timedOut(executionMs)), executionMs);
    const of = { client: client.name, request: options.id };
    const tell = (broadcast: Broadcast) => {
      if (!silent) for (const listener of this.listeners) listener(broadcast);
    };
    const count = silent ? this.executions : ++this.executions;
    this.current = operation;
    onBegin();
    try {
      onStart?.(count);
      tell({ ...of, type: "started", execution: { code: request.code, count } });
      let reply: KernelReply = await this.options.kernel.request(request, {
        ...options,
        onEvent: (event) => {
          options.onEvent?.(event);
          tell({ ...of, type: "event", event });
        },
      });
      const { reason } = operation.signal;
      if (reply.status === "error" && reason instanceof SpellError && reason.code === "timeout")
        reply = { status: "error", error: errorToJson(reason) };
      tell({ ...of, type: "ended", reply });
      return reply;
    } finally {
      clearTimeout(timer);
      this.current = undefined;
    }
  }
}

function hasLeft(): SpellError {
  return new SpellError("interrupted", "The client has left");
}

function timedOut(limitMs: number): SpellError {
  return new SpellError("timeout", `Execution took longer than ${limitMs / 1000} s`, {
    data: { limit: "time" },
    hint: "Raise kernel.execution.execution_timeout_secs and kernel.max_execution_time_secs",
  });
}

/** @throws the signal's reason when it comes first */
async function orAbort(wait: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([wait, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
