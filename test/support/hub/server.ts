/** A loopback HTTP server whose answers can be disturbed, and which remembers what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  path: string;
  headers: IncomingMessage["headers"];
}

/** Answers in place of the server, or does nothing and returns false. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

export class LoopbackServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  private readonly faults: { path: RegExp; times: number; fault: Fault }[] = [];
  private readonly server = createServer((request, response) => {
    const path = request.url ?? "/";
    this.asked.push({ path, headers: request.headers });
    const entry = this.faults.find((each) => each.times > 0 && each.path.test(path));
    if (entry !== undefined) {
      entry.times--;
      if (entry.fault(request, response)) return;
    }
    this.answer(request, response);
  });

  constructor(private readonly answer: (request: IncomingMessage, response: ServerResponse) => void) {}

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next requests for paths that match get this instead. */
  disturb(path: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.faults.push({ path, times, fault });
  }

  paths(): string[] {
    return this.asked.map(({ path }) => path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export function json(response: ServerResponse, status: number, value: unknown, headers: object = {}): true {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(JSON.stringify(value));
  return true;
}

/** An answer of a status, with a short text. */
export const status =
  (code: number, headers: object = {}): Fault =>
  (_request, response) => {
    response.writeHead(code, { "content-type": "text/plain", ...headers });
    response.end(`status ${code}`);
    return true;
  };

export const redirect = (location: string): Fault => status(302, { location });

/** Sends bytes as RFC 9110 has it: `Range`, `If-Range`, 206 and 416. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  etag: string,
  send = (slice: Uint8Array) => {
    response.end(slice);
  },
): true {
  const common = { etag, "accept-ranges": "bytes", "content-type": "application/octet-stream" };
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const ifRange = request.headers["if-range"];
  if (range === null || (ifRange !== undefined && ifRange !== etag)) {
    response.writeHead(200, { ...common, "content-length": bytes.length });
    send(bytes);
    return true;
  }
  const from = Number(range[1]);
  if (from >= bytes.length) {
    response.writeHead(416, { ...common, "content-range": `bytes */${bytes.length}` });
    response.end();
    return true;
  }
  response.writeHead(206, {
    ...common,
    "content-length": bytes.length - from,
    "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
  });
  send(bytes.subarray(from));
  return true;
}
