/** A plain socket that sends bytes as they are given, and what comes back until the other side closes. */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export class RawConnection {
  private received = Buffer.alloc(0);
  private readonly closing = Promise.withResolvers<void>();

  private constructor(private readonly socket: Socket) {
    socket.on("data", (data) => {
      this.received = Buffer.concat([this.received, data as Buffer]);
    });
    // a reset is one way to be closed
    socket.on("error", () => this.closing.resolve());
    socket.on("close", () => this.closing.resolve());
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => resolve(new RawConnection(socket)));
      socket.once("error", reject);
    });
  }

  send(data: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(data);
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.socket.pause();
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  get isClosed(): boolean {
    return this.socket.closed;
  }

  /** Waits until the other side has closed. */
  closed(): Promise<void> {
    return this.closing.promise;
  }

  close(): void {
    this.socket.destroy();
  }

  /** The answer, when the other side has closed. */
  async answer(): Promise<RawAnswer> {
    await this.closed();
    const [head = "", body = ""] = this.text.split("\r\n\r\n", 2);
    const [line = "", ...fields] = head.split("\r\n");
    const headers = fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    });
    return { status: Number(line.split(" ")[1]), headers: Object.fromEntries(headers), body };
  }
}

export interface RawRequest {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Sends one request over a connection of its own that ends with it. Headers not named are left out, Host too. */
export async function rawRequest(port: number, request: RawRequest = {}): Promise<RawAnswer> {
  const { method = "GET", path = "/v1/models", headers = {}, body = "" } = request;
  const connection = await RawConnection.open(port);
  const fields = {
    connection: "close",
    ...(body === "" ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.send(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  return connection.answer();
}
