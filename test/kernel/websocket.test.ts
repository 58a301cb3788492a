import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import type { ExecuteRequest, KernelEvent } from "../../src/kernel/api.ts";
import { connectKernel } from "../../src/kernel/remote-client.ts";
import { type ListeningKernel, listeningKernel, TOKEN } from "../support/listening-kernel.ts";

const script = (code: string): ExecuteRequest => ({
  type: "execute",
  code,
  name: "test",
  args: { script: "test", positional: [], named: {} },
  language: "lua",
  stream: false,
});

let kernel: ListeningKernel;
beforeAll(async () => {
  kernel = await listeningKernel({
    maxMessageBytes: 100_000,
    origins: ["https://notes.example"],
    maxClients: 2000,
  });
});
afterAll(async () => {
  await kernel[Symbol.asyncDispose]();
});

const value = async (code: string) => {
  const client = await kernel.connect();
  const reply = await client.request(script(code));
  await client.shutdown();
  return reply.status === "ok" ? reply.value : reply.error;
};

interface Visit {
  opened: boolean;
  protocol: string;
  messages: Record<string, unknown>[];
  code: number;
}

/** Opens a WebSocket as any program would, sends frames once it is open, and hears until it is closed. */
function visit(
  options: Bun.WebSocketOptions,
  frames: (string | Uint8Array)[] = [],
  until: (messages: Record<string, unknown>[]) => boolean = () => false,
): Promise<Visit> {
  const { promise, resolve } = Promise.withResolvers<Visit>();
  const socket = new WebSocket(`ws://127.0.0.1:${kernel.address.port}/`, options as never);
  const seen: Visit = { opened: false, protocol: "", messages: [], code: 0 };
  socket.onopen = () => {
    seen.opened = true;
    seen.protocol = socket.protocol;
    for (const frame of frames) socket.send(frame);
    if (frames.length === 0) socket.close(1000);
  };
  socket.onmessage = ({ data }) => {
    seen.messages.push(JSON.parse(String(data)));
    if (until(seen.messages)) socket.close(1000);
  };
  socket.onclose = ({ code }) => resolve({ ...seen, code });
  return promise;
}

const bearer = { authorization: `Bearer ${TOKEN}` };

describe("who is let in", () => {
  const refused: [string, Record<string, string>, number][] = [
    ["no token", {}, 401],
    ["another token", { authorization: `Bearer ${TOKEN.replace("0", "1")}` }, 401],
    ["a part of the token", { authorization: `Bearer ${TOKEN.slice(1)}` }, 401],
    ["a foreign Host", { ...bearer, host: "evil.example" }, 403],
    ["a foreign Origin", { ...bearer, origin: "https://evil.example" }, 403],
  ];
  test.each(refused)("%s is refused", async (_, headers, status) => {
    expect((await visit({ headers })).opened).toBe(false);
    const answer = await fetch(`http://127.0.0.1:${kernel.address.port}/`, { headers });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ status: "error", error: expect.any(String) });
  });

  test("a page of an allowed origin comes in with the token as a subprotocol", async () => {
    const headers = { origin: "https://notes.example" };
    const protocols = ["llmspell.v1", `llmspell.token.${TOKEN}`];
    const seen = await visit({ headers, protocols });
    expect(seen).toMatchObject({ opened: true, protocol: "llmspell.v1", code: 1000 });
  });

  test("a client that is refused hears why", async () => {
    const wrong = connectKernel({ ...kernel.address, token: "x" });
    await expect(wrong).rejects.toMatchObject({
      code: "network",
      message: expect.stringContaining("The token is missing or wrong"),
    });
  });

  test("the requests of one client too many are refused with the limit's name, until another leaves", async () => {
    await using small = await listeningKernel({ maxClients: 1 });
    const [first, second] = [await small.connect(), await small.connect()];
    expect(await first.request(script("return 1"))).toMatchObject({ status: "ok" });
    const refused = { status: "error", error: { code: "limit", data: { max_clients: 1 } } };
    expect(await second.request(script("return 2"))).toMatchObject(refused);
    await first.shutdown();
    while (small.hub.status().clients.length > 0) await Bun.sleep(5);
    expect(await second.request(script("return 2"))).toMatchObject({ value: 2 });
    await second.shutdown();
  });
});

describe("requests", () => {
  test("a script's values arrive as they are", async () => {
    const exact = await value(`return {math.maxinteger, "\\xff\\0", 0.5, {a = true}}`);
    expect(exact).toEqual([2n ** 63n - 1n, new Uint8Array([255, 0]), 0.5, { a: true }]);
  });

  test("output comes in order, bytes included", async () => {
    const client = await kernel.connect();
    const parts: Uint8Array[] = [];
    await client.request(
      script(`for i = 1, 500 do print(i) io.write("\\xfe\\n") io.stderr:write("e\\n") end`),
      {
        onEvent: (event: KernelEvent) => {
          if (event.type !== "stream") return;
          const bytes = typeof event.text === "string" ? new TextEncoder().encode(event.text) : event.text;
          if (event.stream === "stdout") parts.push(bytes);
        },
      },
    );
    await client.shutdown();
    const expected = Array.from({ length: 500 }, (_, i) => `${i + 1}\n\xfe\n`).join("");
    expect(Buffer.concat(parts).toString("latin1")).toBe(expected);
  });

  test("an input line of any bytes reaches the script, and then the end of input", async () => {
    const client = await kernel.connect();
    const lines: (Uint8Array | null)[] = [new Uint8Array([255, 10]), null];
    const reply = await client.request(script(`return {io.read("L"), io.read("L") == nil}`), {
      onInput: async () => lines.shift() ?? null,
    });
    expect(reply).toMatchObject({ status: "ok", value: [new Uint8Array([255, 10]), true] });
    await client.shutdown();
  });

  test("a cancelled endless script replies `interrupted`; others wait their turn and run", async () => {
    const client = await kernel.connect();
    const abort = new AbortController();
    const endless = client.request(script(`print("on") while true do end`), {
      signal: abort.signal,
      onEvent: () => abort.abort(),
    });
    const next = value("return 7");
    expect(await endless).toMatchObject({ status: "error", error: { code: "interrupted" } });
    expect(await next).toBe(7);
    await client.shutdown();
  });

  test("the script of a client that leaves is stopped", async () => {
    const client = await kernel.connect();
    const begun = Promise.withResolvers<void>();
    const lost = client.request(script(`print("on") while true do end`), { onEvent: () => begun.resolve() });
    await begun.promise;
    await client.shutdown();
    expect(await value("return 8")).toBe(8);
    lost.catch(() => {});
  });

  test("variables stay, and are every client's", async () => {
    await value("shared = 41");
    expect(await value("return shared + 1")).toBe(42);
  });

  test("a message above the limit is refused before it is sent", async () => {
    const client = await kernel.connect();
    const reply = await client.request(script(`return "${"x".repeat(100_000)}"`));
    expect(reply).toMatchObject({ status: "error", error: { code: "limit", data: { limit: "message" } } });
    expect(await client.request(script("return 1"))).toMatchObject({ value: 1 });
    await client.shutdown();
  });

  test("a reply may be larger than what the kernel takes", async () => {
    expect(((await value(`return ("x"):rep(5000000)`)) as string).length).toBe(5_000_000);
  });

  test("a client that outlives the kernel hears that the connection is lost, and asks in vain", async () => {
    const ending = await listeningKernel();
    const client = await ending.connect();
    const begun = Promise.withResolvers<void>();
    const lost = client.request(script(`print("on") while true do end`), { onEvent: () => begun.resolve() });
    await begun.promise;
    await ending.transport.notifyShutdown({ restart: false, status: "shutdown", message: "going down" });
    await ending.transport.stop();
    const gone = {
      status: "error",
      error: { code: "network", message: expect.stringContaining("going down") },
    };
    expect(await lost).toMatchObject(gone);
    expect(await client.request(script("return 1"))).toMatchObject(gone);
    await ending[Symbol.asyncDispose]();
  });
});

const HANDSHAKE = `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`;

/** A text frame as a client sends it, its mask all zeros. */
function clientFrame(text: string): Uint8Array {
  const payload = Buffer.from(text);
  const header = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([header, payload]);
}

describe("bad input", () => {
  const request = (id: unknown, body: unknown, more = {}) =>
    JSON.stringify({ type: "request", id, request: body, ...more });
  const unreadable: [string, string | Uint8Array][] = [
    ["text that is not JSON", "{"],
    ["a list", "[]"],
    ["a binary frame", new Uint8Array([1, 2, 3])],
    ["an unknown type", '{"type":"explode"}'],
    ["an unknown field", '{"type":"cancel","id":1,"x":1}'],
    ["an id that is no number", request("1", {})],
    ["a tag that is not known", '{"$x":1}'],
    ["deep nesting", "[".repeat(50_000)],
  ];
  test.each(unreadable)("%s ends the connection with its reason", async (_, frame) => {
    const seen = await visit({ headers: bearer }, [frame]);
    expect(seen.code).toBe(4400);
    expect(seen.messages.at(-1)).toMatchObject({ type: "error", error: { message: expect.any(String) } });
  });

  const wrong: [string, unknown, string][] = [
    ["a request that is not for others", { type: "serve" }, 'no such request: "serve"'],
    ["a field that is missing", { type: "tool", command: "info" }, '"name" is required'],
    ["a field of another type", { type: "tool", command: "invoke", name: 1, params: {} }, '"name"'],
    ["code that is no text", { ...script(""), code: 5 }, '"code" must be text or bytes'],
    ["a key of prototypes", { type: "constructor" }, "no such request"],
  ];
  test.each(wrong)("%s is answered by an error, and the connection stays", async (_, body, message) => {
    const both = (messages: unknown[]) => messages.length === 3;
    const seen = await visit({ headers: bearer }, [request(1, body), request(2, script("return 5"))], both);
    const replies = seen.messages.slice(1).sort((a, b) => Number(a.id) - Number(b.id));
    expect(replies[0]).toMatchObject({
      reply: { status: "error", error: { message: expect.stringContaining(message) } },
    });
    expect(replies[1]).toMatchObject({ type: "reply", id: 2, reply: { status: "ok", value: 5 } });
  });

  test("a frame above the limit ends the connection", async () => {
    const seen = await visit({ headers: bearer }, ["x".repeat(200_000)]);
    expect(seen.code).toBe(1009);
  });

  test("random bytes on the socket leave the kernel as it was", async () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed;
    };
    for (let i = 0; i < 200; i++) {
      const noise = Buffer.from(Array.from({ length: 1 + (random() % 300) }, () => (random() >> 8) & 255));
      await new Promise<void>((resolve) => {
        const socket = connectTcp(kernel.address.port, "127.0.0.1", () => {
          if (i % 2 === 0) socket.write(HANDSHAKE);
          socket.end(noise);
        });
        socket.on("error", () => {}); // a reset is as good as an end
        socket.on("close", () => resolve());
        socket.resume();
      });
    }
    expect(await value("return 9")).toBe(9);
  }, 30_000);

  test("a script waits for a client that does not read, and goes on when it does", async () => {
    const socket = connectTcp(kernel.address.port, "127.0.0.1");
    const body = request(1, script(`for i = 1, 20000 do print(("x"):rep(1000)) end done = true`));
    socket.write(HANDSHAKE);
    await new Promise<void>((resolve) => socket.once("data", () => resolve()));
    socket.pause();
    socket.write(clientFrame(body));
    const ended = () => kernel.hub.status().state === "idle";
    for (let looks = 0; looks < 20; looks++) await Bun.sleep(10);
    expect(ended()).toBe(false);
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.resume();
    while (!ended()) await Bun.sleep(5);
    while (bytes < 20_000_000) await Bun.sleep(5);
    expect(await value("return done")).toBe(true);
    socket.destroy();
  }, 30_000);

  test("a script that waits for such a client stops when the client leaves", async () => {
    const socket = connectTcp(kernel.address.port, "127.0.0.1");
    socket.write(HANDSHAKE);
    await new Promise<void>((resolve) => socket.once("data", () => resolve()));
    socket.pause();
    socket.write(clientFrame(request(1, script(`kept = 1 while true do print(("x"):rep(1000)) end`))));
    while (kernel.hub.status().state === "idle") await Bun.sleep(5);
    await Bun.sleep(100);
    const next = value("return kept");
    socket.destroy();
    expect(await next).toBe(1);
  }, 30_000);

  test("a thousand clients at once are served", async () => {
    const clients = await Promise.all(Array.from({ length: 1000 }, () => kernel.connect()));
    const replies = await Promise.all(clients.map((client, i) => client.request(script(`return ${i}`))));
    expect(replies.map((reply) => reply.status === "ok" && reply.value)).toEqual(clients.map((_, i) => i));
    await Promise.all(clients.map((client) => client.shutdown()));
  }, 60_000);
});
