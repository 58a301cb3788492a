import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { connectZmtp } from "../../../src/kernel/transport/zmq/client.ts";
import { KernelSandbox, until } from "../../support/kernel.ts";

const CHANNELS = ["shell", "iopub", "stdin", "control", "hb"];

/** A connection file as Jupyter writes it: ports that were free a moment ago, and a key. */
async function connectionFile(box: KernelSandbox) {
  const servers = CHANNELS.map(() => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  const text = JSON.stringify({
    ...Object.fromEntries(CHANNELS.map((channel, i) => [`${channel}_port`, ports[i]])),
    ip: "127.0.0.1",
    key: "a0436f6c-1916-498b-8eb9-e81ab9368e84",
    transport: "tcp",
    signature_scheme: "hmac-sha256",
    kernel_name: "llmspell",
  });
  return { path: box.write("kernel-launched.json", text), text, ports };
}

/** `connected`, or the code of the error. */
function tried(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
}

describe("a kernel that is started with Jupyter's connection file", () => {
  test("serves its ports, also those who came before it was ready, and leaves the file as it is", async () => {
    using box = new KernelSandbox();
    const { path, text, ports } = await connectionFile(box);
    const starting = box.foreground(["--connection-file", path]);
    const [shell] = ports as [number];
    // the first connection that is let in stays: it is answered when the kernel is ready
    const client = await until(() =>
      connectZmtp({ type: "DEALER", host: "127.0.0.1", port: shell, onMessage: () => {} }).catch(() => null),
    );
    const { process, started } = await starting;
    expect(started.port).toBe(shell);
    expect(await Promise.all(ports.map(tried))).toEqual(CHANNELS.map(() => "connected"));
    expect(readFileSync(path, "utf8")).toBe(text);
    client.close();
    process.kill("SIGTERM");
    expect(await process.exited).toBe(0);
    expect(await Promise.all(ports.map(tried))).toEqual(CHANNELS.map(() => "ECONNREFUSED"));
  });

  test("--dry-run does not take its own ports for taken ones", async () => {
    using box = new KernelSandbox();
    const { path } = await connectionFile(box);
    const done = await box.run(["kernel", "start", "--dry-run", "--connection-file", path]);
    expect([done.code, done.stderr]).toEqual([0, ""]);
  });

  test("keeps no port open that nothing serves", async () => {
    using box = new KernelSandbox();
    const { path, ports } = await connectionFile(box);
    box.write("quiet.toml", "[kernel]\nenable_jupyter = false\n");
    const args = ["-c", "quiet.toml", "--output", "json", "kernel", "start", "--connection-file", path];
    const process = box.start(args);
    try {
      await process.stdout.getReader().read(); // it says that it has started
      expect(await Promise.all(ports.map(tried))).toEqual(CHANNELS.map(() => "ECONNREFUSED"));
    } finally {
      process.kill("SIGTERM");
      await process.exited;
    }
  });

  test("says which port is taken", async () => {
    using box = new KernelSandbox();
    const { path, ports } = await connectionFile(box);
    using _other = { [Symbol.dispose]: () => server.close() };
    const server = createServer().listen(ports[1]!, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const done = await box.run(["kernel", "start", "--connection-file", path]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain(`Cannot listen: the port is in use: 127.0.0.1:${ports[1]}`);
  });
});
