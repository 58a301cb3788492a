import { afterEach, describe, expect, test } from "bun:test";
import { connectZmtp } from "../../../src/kernel/transport/zmq/client.ts";
import { LIMITS } from "../../../src/kernel/transport/zmq/connection.ts";
import { encodeMessage, FrameReader } from "../../../src/kernel/transport/zmq/frames.ts";
import { PubSocket, RouterSocket } from "../../../src/kernel/transport/zmq/sockets.ts";
import { uniform } from "../../support/random.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const options = { host: "127.0.0.1", port: 0, limits: LIMITS, maxConnections: 2000 };

function echo(changes: Partial<typeof options> = {}) {
  const broken: string[] = [];
  const router: RouterSocket = new RouterSocket(
    { ...options, ...changes, onBroken: (reason: string) => broken.push(reason) },
    (peer, frames) => router.send(peer, frames),
  );
  closers.push(() => router.close());
  return { router, broken };
}

async function dealer(port: number) {
  const received: string[] = [];
  let next = Promise.withResolvers<void>();
  const client = await connectZmtp({
    type: "DEALER",
    host: "127.0.0.1",
    port,
    onMessage: (frames) => {
      received.push(frames.map((frame) => new TextDecoder().decode(frame)).join("|"));
      next.resolve();
    },
  });
  closers.push(() => client.close());
  return {
    client,
    async ask(...frames: string[]): Promise<string> {
      next = Promise.withResolvers();
      client.send(frames.map(bytes));
      await next.promise;
      return received.at(-1)!;
    },
  };
}

/** A peer that sends bytes and tells when it was dropped. */
async function raw(port: number, data: Uint8Array): Promise<void> {
  const closed = Promise.withResolvers<void>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(data),
      data: () => {},
      close: () => closed.resolve(),
      error: () => closed.resolve(),
    },
  });
  await closed.promise;
}

const GREETING = Uint8Array.from(
  Buffer.from(`ff00000000000000017f0300${Buffer.from("NULL").toString("hex")}${"00".repeat(48)}`, "hex"),
);
const READY = Uint8Array.from([
  4,
  28,
  5,
  ...bytes("READY"),
  11,
  ...bytes("Socket-Type"),
  0,
  0,
  0,
  6,
  ...bytes("DEALER"),
]);
const hello = (...more: number[]) => Uint8Array.from([...GREETING, ...READY, ...more]);

describe("frames", () => {
  test("come out whole however the bytes are cut", () => {
    const messages = [[bytes("a"), new Uint8Array(), new Uint8Array(300).fill(7)], [new Uint8Array(255)]];
    const stream = Buffer.concat(messages.map(encodeMessage));
    for (const piece of [1, 2, 3, 7, 256, stream.length]) {
      const reader = new FrameReader(1000);
      const found: { more: boolean; length: number }[] = [];
      for (let at = 0; at < stream.length; at += piece) {
        reader.append(stream.subarray(at, at + piece));
        for (let frame = reader.next(); frame !== undefined; frame = reader.next())
          found.push({ more: frame.more, length: frame.body.length });
      }
      expect(found).toEqual([
        { more: true, length: 1 },
        { more: true, length: 0 },
        { more: false, length: 300 },
        { more: false, length: 255 },
      ]);
    }
  });
});

describe("a peer that breaks a rule is dropped, and others are served", () => {
  const cases: [name: string, data: Uint8Array, reason: string][] = [
    ["an HTTP request", bytes(`GET / HTTP/1.1\r\n\r\n${" ".repeat(80)}`), "no ZMTP signature"],
    ["ZMTP 2", Uint8Array.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 5]), "older than 3"],
    ["CURVE", Uint8Array.from(GREETING).with(12, 67), "security mechanism"],
    ["a message before READY", Uint8Array.from([...GREETING, 0, 1, 65]), "before the handshake"],
    ["reserved bits", hello(0x80, 0), "reserved bits"],
    ["an absurd length", hello(2, 0x7f, 255, 255, 255, 255, 255, 255, 255), "too long"],
    ["a frame above the limit", hello(2, 0, 0, 0, 0, 4, 0, 0, 1), "too long"],
    ["frames without end", hello(...Array(1025).fill([1, 0]).flat()), "too many frames"],
    ["a nameless command", hello(4, 1, 0), "without a name"],
    [
      "a PUB socket",
      Uint8Array.from([...GREETING, 4, 25, ...READY.subarray(2, 20), 0, 0, 0, 3, ...bytes("PUB")]),
      "does not talk",
    ],
  ];
  for (const [name, data, reason] of cases)
    test(name, async () => {
      const { router, broken } = echo();
      const bystander = await dealer(router.port);
      await raw(router.port, data);
      expect(broken).toEqual([expect.stringContaining(reason)]);
      expect(await bystander.ask("still", "here")).toBe("still|here");
    });

  test("random bytes after a right beginning", async () => {
    const { router } = echo({ limits: { ...LIMITS, handshakeMs: 200, maxMessageBytes: 1000 } });
    const bystander = await dealer(router.port);
    const random = uniform(4);
    for (let i = 0; i < 50; i++) {
      const noise = Uint8Array.from({ length: 2000 }, () => random() * 256);
      const beginning = [new Uint8Array(), GREETING, hello()][i % 3]!;
      await raw(router.port, Uint8Array.from([...beginning, ...noise, 0x80, 0]));
    }
    expect(await bystander.ask("well")).toBe("well");
  });

  test("one that says nothing", async () => {
    const { router, broken } = echo({ limits: { ...LIMITS, handshakeMs: 50 } });
    await raw(router.port, GREETING);
    expect(broken).toEqual(["no handshake in time"]);
  });
});

test("a thousand peers are answered, each with its own", async () => {
  const { router } = echo();
  const peers = await Promise.all(Array.from({ length: 1000 }, () => dealer(router.port)));
  const answers = await Promise.all(peers.map((peer, i) => peer.ask(`peer ${i}`)));
  expect(answers).toEqual(peers.map((_, i) => `peer ${i}`));
});

test("connections above the limit end at once; those there are stay", async () => {
  const { router } = echo({ maxConnections: 1 });
  const first = await dealer(router.port);
  await expect(dealer(router.port)).rejects.toMatchObject({ code: "network" });
  expect(await first.ask("one")).toBe("one");
});

test("a subscriber that does not read misses messages, and others get every one", async () => {
  const pub = new PubSocket({ ...options, limits: { ...LIMITS, maxQueuedBytes: 1 << 20 } });
  closers.push(() => pub.close());
  let received = 0;
  const all = Promise.withResolvers<void>();
  const reader = await connectZmtp({
    type: "SUB",
    host: "127.0.0.1",
    port: pub.port,
    onMessage: ([body]) => {
      if (body!.length === 3) all.resolve();
      else received++;
    },
  });
  closers.push(() => reader.close());
  const stuck = await Bun.connect({
    hostname: "127.0.0.1",
    port: pub.port,
    socket: {
      open(socket) {
        socket.write(
          Uint8Array.from([
            ...GREETING,
            4,
            25,
            ...READY.subarray(2, 20),
            0,
            0,
            0,
            3,
            ...bytes("SUB"),
            0,
            1,
            1,
          ]),
        );
        socket.pause();
      },
      data() {},
    },
  });
  closers.push(() => stuck.terminate());
  const chunk = [new Uint8Array(100_000)];
  let sent = 0;
  while (pub.dropped === 0 && sent < 2000) {
    pub.publish(chunk);
    sent++;
    await Bun.sleep(0);
  }
  expect(pub.dropped).toBeGreaterThan(0);
  pub.publish([bytes("end")]);
  await all.promise;
  expect(received).toBe(sent);
});

test("a port that is taken is refused", () => {
  const { router } = echo();
  expect(() => echo({ port: router.port })).toThrow("the port is in use");
});

test("what was published in one turn arrives in order and whole, also right before the socket closes", async () => {
  const pub = new PubSocket(options);
  const received: string[] = [];
  const ended = Promise.withResolvers<void>();
  const reader = await connectZmtp({
    type: "SUB",
    host: "127.0.0.1",
    port: pub.port,
    onMessage: (frames) => received.push(frames.map(({ length }) => length).join("|")),
    onClose: () => ended.resolve(),
  });
  closers.push(() => reader.close());
  const sizes = [1, 200, 300_000, 5, 70_000, 64, 0];
  while (received.length === 0) {
    pub.publish([bytes("subscribed?")]);
    await Bun.sleep(1);
  }
  for (const size of sizes) pub.publish([new Uint8Array(size), new Uint8Array(2)]);
  await pub.close();
  await ended.promise;
  expect(received.filter((text) => text !== "11")).toEqual(sizes.map((size) => `${size}|2`));
});
