/** A vendor's service on loopback, with scripted answers and faults. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Answer, ChatRequest, SentEvent, WireFormat } from "./format.ts";

export interface Delivery {
  /** Waits before the first byte of the answer. */
  beginMs?: number;
  /** Waits between pieces. */
  gapMs?: number;
  /** Bytes of a piece; default: an event is one. */
  pieceBytes?: number;
  /** How events are written. */
  write?: (events: SentEvent[]) => string;
  /** Ends after so many bytes, or so many before the end where negative: cleanly, or by cutting the connection. */
  endAfter?: { bytes: number; how: "clean" | "cut" };
  /** Nothing more after so many events but, every so many milliseconds, a comment and a ping. */
  stallAfter?: { events: number; pingMs?: number };
  /** Sent in place of the event after so many. */
  errorAfter?: { events: number; message: string };
}

export type Step =
  | ({ answer: Answer } & Delivery)
  | { status: number; message?: string; headers?: Record<string, string>; html?: true; body?: string }
  | { silent: true };

export interface Seen extends ChatRequest {
  atMs: number;
}

export class ProviderServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** What comes next; the last step stays. */
  steps: Step[] = [];
  /** Answers that are being sent or were given up by the client. */
  abandoned = 0;
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();

  private constructor(
    private readonly server: Server,
    private readonly format: WireFormat,
  ) {}

  static async start(format: WireFormat): Promise<ProviderServer> {
    const http = createServer();
    const server = new ProviderServer(http, format);
    http.on("request", (request: IncomingMessage, response: ServerResponse) => {
      server.handle(request, response).catch((error: unknown) => {
        response.writeHead(599, { "content-type": "text/plain" });
        response.end(`the loopback server itself failed: ${(error as Error).stack}`);
      });
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    http.listen(0, "127.0.0.1", resolve);
    await promise;
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  script(...steps: Step[]): void {
    this.steps = steps;
    this.seen.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    this.server.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.server.close(() => resolve());
    await promise;
  }

  private async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Uint8Array);
    const request: ChatRequest = {
      path: incoming.url ?? "",
      headers: Object.fromEntries(
        Object.entries(incoming.headers).map(([name, value]) => [name, [value].flat().join(", ")]),
      ),
      body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>,
    };
    this.seen.push({ ...request, atMs: performance.now() });
    response.on("close", () => {
      if (!response.writableFinished) this.abandoned++;
    });
    const wrong = this.format.wrong(request);
    if (wrong !== undefined) return this.refuse(response, wrong.startsWith("key") ? 401 : 400, wrong);
    if (/embed/i.test(request.path) && this.format.embeddings !== undefined)
      return this.json(response, 200, this.format.embeddings(request));
    const step = this.steps.length > 1 ? this.steps.shift()! : this.steps[0];
    if (step === undefined) return this.refuse(response, 500, "the script has no step left");
    if ("silent" in step) return;
    if ("status" in step) return this.fail(response, step);
    await this.wait(step.beginMs ?? 0);
    if (!this.format.isStreamed(request))
      return this.json(response, 200, this.format.whole(step.answer, request));
    await this.stream(response, request, step);
  }

  private async stream(
    response: ServerResponse,
    request: ChatRequest,
    step: Extract<Step, { answer: Answer }>,
  ): Promise<void> {
    const events = this.format.events(step.answer, request);
    if (step.errorAfter !== undefined)
      events.splice(step.errorAfter.events, events.length, this.format.errorEvent(step.errorAfter.message));
    const bytes = new TextEncoder().encode((step.write ?? plainly)(events));
    const { endAfter } = step;
    const end = endAfter === undefined ? bytes.length : (endAfter.bytes + bytes.length) % bytes.length;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    response.flushHeaders();
    let sent = 0;
    for (const piece of pieces(bytes.subarray(0, end), step.pieceBytes)) {
      if (response.destroyed) return;
      if (sent++ === step.stallAfter?.events) return this.stall(response, step.stallAfter.pingMs);
      response.write(piece);
      await this.wait(step.gapMs ?? 0);
    }
    if (endAfter?.how !== "cut") {
      response.end();
      return;
    }
    // what is not read yet is lost with the connection
    await this.wait(20);
    response.destroy();
  }

  private async stall(response: ServerResponse, pingMs: number | undefined): Promise<void> {
    while (pingMs !== undefined && !response.destroyed) {
      response.write(`: still here\n\n${plainly([{ name: "ping", data: '{"type": "ping"}' }])}`);
      await this.wait(pingMs);
    }
  }

  private fail(response: ServerResponse, step: Extract<Step, { status: number }>): void {
    const { status, message = `status ${status}`, headers = {} } = step;
    if (step.html) {
      response.writeHead(status, { "content-type": "text/html", ...headers });
      response.end(`<!doctype html><html><body><h1>${message}</h1></body></html>`);
    } else if (step.body !== undefined) {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(step.body);
    } else this.json(response, status, this.format.error(status, message), headers);
  }

  private refuse(response: ServerResponse, status: number, message: string): void {
    this.json(response, status, this.format.error(status, message));
  }

  private json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  }

  private wait(ms: number): Promise<void> {
    if (ms === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      resolve();
    }, ms);
    this.timers.add(timer);
    return promise;
  }
}

export const plainly = (events: readonly SentEvent[]): string =>
  events.map(({ name, data }) => `${name === undefined ? "" : `event: ${name}\n`}data: ${data}\n\n`).join("");

function* pieces(bytes: Uint8Array, size = 0): Generator<Uint8Array> {
  if (size === 0) {
    const text = Buffer.from(bytes);
    for (let from = 0; from < text.length; ) {
      const at = text.indexOf("\n\n", from);
      const to = at === -1 ? text.length : at + 2;
      yield text.subarray(from, to);
      from = to;
    }
    return;
  }
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}
