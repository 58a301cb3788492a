import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer } from "node:net";
import { closeEarlyPorts, openPortEarly } from "../../../src/core/early-ports.ts";
import { connectZmtp } from "../../../src/kernel/transport/zmq/client.ts";
import { LIMITS } from "../../../src/kernel/transport/zmq/connection.ts";
import { RouterSocket } from "../../../src/kernel/transport/zmq/sockets.ts";

const HOST = "127.0.0.1";
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  closeEarlyPorts();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Echoes on the port. */
function router(port: number): RouterSocket {
  const options = { host: HOST, port, limits: LIMITS, maxConnections: 10 };
  const socket: RouterSocket = new RouterSocket(options, (peer, frames) => socket.send(peer, frames));
  closers.push(() => socket.close());
  return socket;
}

async function ask(port: number, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const client = await connectZmtp({
    type: "DEALER",
    host: HOST,
    port,
    onMessage: ([frame]) => resolve(new TextDecoder().decode(frame)),
  });
  closers.push(() => client.close());
  client.send([new TextEncoder().encode(text)]);
  return promise;
}

/** Resolves with `connected`, or the code of the error. */
function tried(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => resolve("connected"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    closers.push(() => socket.destroy());
  });
}

describe("a port that is opened ahead", () => {
  test("keeps who connects waiting until somebody serves it", async () => {
    const port = await freePort();
    openPortEarly(HOST, port);
    let answered = false;
    const early = ask(port, "early").then((text) => {
      answered = true;
      return text;
    });
    const left = connect(port, HOST, () => left.destroy()); // gives up before anybody listens
    await new Promise((resolve) => left.once("close", resolve));
    await Bun.sleep(50);
    expect(answered).toBe(false);
    expect(router(port).port).toBe(port);
    expect(await early).toBe("early");
    expect(await ask(port, "late")).toBe("late");
  });

  test("is closed when nobody listens on it", async () => {
    const port = await freePort();
    openPortEarly(HOST, port);
    expect(await tried(port)).toBe("connected");
    closeEarlyPorts();
    expect(await tried(port)).toBe("ECONNREFUSED");
  });

  test("that is taken is refused by the one who serves it", async () => {
    const port = await freePort();
    router(port);
    openPortEarly(HOST, port);
    expect(() => router(port)).toThrow("the port is in use");
  });
});
