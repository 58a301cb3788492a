/** Random bytes on every socket of a kernel, alone and after the beginning of a right conversation; clients are served meanwhile. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Connection } from "../../src/kernel/connection-file.ts";
import { connectKernel, type RemoteKernel } from "../../src/kernel/remote-client.ts";
import { KernelSandbox } from "../support/kernel.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  type Figures,
  grownBy,
  mostRssBytesOf,
  pick,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

const FULL_MS = 60_000;
const SHORT_CONNECTIONS = 300;
/** Connections at the same time. */
const SIDE_BY_SIDE = 16;
const LOOK_EVERY = 50;
/** How long one side of noise may wait for the kernel to end the connection. */
const PATIENCE_MS = 200;

export const sockets: Soak = {
  name: "sockets",
  description:
    "random bytes on every listening socket of a kernel; its clients are served, and it is healthy afterwards",
  run,
};

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  using sandbox = new KernelSandbox();
  const { pid, connection_file } = await sandbox.daemon(["--id", "noisy"]);
  const connection = JSON.parse(readFileSync(connection_file, "utf8")) as Connection;
  const ports = Object.entries(connection).flatMap(([name, port]) =>
    name.endsWith("_port") && typeof port === "number" ? port : [],
  );
  const { websocket_port: port = 0, token = "" } = connection;
  const client = await connectKernel({ host: "127.0.0.1", port, token });
  const random = uniform(seed);
  const untilMs = performance.now() + (full ? FULL_MS : Number.POSITIVE_INFINITY);
  const looks: number[] = [];
  let connections = 0;
  let bytes = 0;
  while (performance.now() < untilMs && (full || connections < SHORT_CONNECTIONS)) {
    const noises = Array.from({ length: SIDE_BY_SIDE }, () => noise(random, token));
    await Promise.all(noises.map((parts) => send(pick(random, ports), parts)));
    connections += noises.length;
    bytes += noises.flat().reduce((sum, part) => sum + part.length, 0);
    if (connections % LOOK_EVERY < SIDE_BY_SIDE) {
      await checkServed(client, connections);
      looks.push(rssBytesOf(pid));
    }
  }
  const status = await client.request({ type: "kernel_status" });
  check(
    status.status === "ok" && "health" in status && status.health !== "Unhealthy",
    "it is not healthy",
    status,
  );
  await client.shutdown();
  const { code, stderr } = await sandbox.run(["kernel", "stop", "noisy"]);
  check(code === 0, "it does not stop", stderr);
  return {
    connections,
    "bytes sent": bytes,
    sockets: ports.length,
    "process grew by (KiB)": Math.round(grownBy(looks.slice(looks.length / 3)) / 1024),
    "most memory (MiB)": Math.round(Math.max(...looks, mostRssBytesOf(pid)) / 1024 / 1024),
  };
}

async function checkServed(client: RemoteKernel, round: number): Promise<void> {
  const args = { script: "soak", positional: [], named: {} };
  const code = `return ${round}`;
  const reply = await client.request({
    type: "execute",
    code,
    name: "soak",
    args,
    language: "lua",
    stream: false,
  });
  check(
    reply.status === "ok" && reply.value === round,
    `a client is not served after ${round} connections`,
    reply,
  );
}

function rssBytesOf(pid: number): number {
  if (process.platform !== "linux") return 0;
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;
}

const ZMTP_GREETING = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]),
  Buffer.from("NULL".padEnd(20, "\0")),
  Buffer.alloc(32),
]);

/** A command frame of ZMTP that says what kind of socket asks. */
function ready(type: string): Buffer {
  const property = Buffer.concat([
    Buffer.from([11]),
    Buffer.from("Socket-Type"),
    Buffer.from([0, 0, 0, type.length]),
    Buffer.from(type),
  ]);
  const body = Buffer.concat([Buffer.from([5]), Buffer.from("READY"), property]);
  return Buffer.concat([Buffer.from([4, body.length]), body]);
}

function upgrade(token: string): Buffer {
  const lines = [
    "GET / HTTP/1.1",
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Authorization: Bearer ${token}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

/** What one connection sends, in parts: a beginning that may be right, then bytes and frames of bytes. */
function noise(random: () => number, token: string): Buffer[] {
  const beginnings = [
    [],
    [ZMTP_GREETING],
    ...["DEALER", "SUB", "REQ"].map((type) => [ZMTP_GREETING, ready(type)]),
    [upgrade(token)],
  ];
  const parts: Buffer[] = [...pick(random, beginnings)];
  for (let left = between(random, 1, 6); left > 0; left--) {
    const body = bytesOf(random, between(random, 0, 200));
    // as a short frame of ZMTP (more to come or not), as a text frame of a WebSocket, or bare
    const zmtp = Buffer.concat([Buffer.from([between(random, 0, 2), body.length]), body]);
    const text = Buffer.concat([Buffer.from([0x81, 0x80 | Math.min(body.length, 125), 0, 0, 0, 0]), body]);
    parts.push(pick(random, [body, zmtp, zmtp, text]));
  }
  if (random() < 0.5) parts.push(Buffer.from("<IDS|MSG>"));
  return parts;
}

function bytesOf(random: () => number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => between(random, 0, 256)));
}

/** Resolves when the connection has ended, by the kernel or for want of patience. */
function send(port: number, parts: readonly Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      for (const part of parts) socket.write(part);
      setTimeout(() => socket.destroy(), PATIENCE_MS);
    });
    socket.on("error", () => socket.destroy()); // the kernel may reset what it does not want to hear
    socket.on("close", () => resolve());
    socket.resume();
  });
}
