import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { connectZmtp } from "../../../src/kernel/transport/zmq/client.ts";
import { FrameReader, GREETING_BYTES } from "../../../src/kernel/transport/zmq/frames.ts";
import { code, KernelSandbox, type Started, until } from "../../support/kernel.ts";

const MIB = 1024 * 1024;
const PRINTED_MIB = 120;
const PARTS = 6;
/** What waits for one subscriber at most, and what the system keeps for a socket. */
const KEPT_MIB = 64 + 16;

/** The most the process has held until now. */
function mostMib({ pid }: Started): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

/** A SUB of everything, written by hand, that reads when it is told to. */
function stubbornReader(port: number) {
  const greeting = Buffer.alloc(64);
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]).copy(greeting);
  greeting.write("NULL", 12);
  const ready = Buffer.from("\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB", "latin1");
  const socket = connect(port, "127.0.0.1", () =>
    socket.write(Buffer.concat([greeting, ready, Buffer.from([0, 1, 1])])),
  );
  socket.pause();
  const reader = new FrameReader(64 * MIB);
  const bodies: string[] = [];
  let skipped = 0;
  socket.on("data", (chunk: Buffer) => {
    const from = Math.min(chunk.length, GREETING_BYTES - skipped);
    skipped += from;
    reader.append(chunk.subarray(from));
    for (let frame = reader.next(); frame !== undefined; frame = reader.next())
      if (!frame.command) bodies.push(Buffer.from(frame.body).toString("latin1"));
  });
  return { socket, bodies, read: () => socket.resume() };
}

test("a subscriber of iopub that does not read costs a bounded queue; others miss nothing, and it gets what comes later", async () => {
  using box = new KernelSandbox();
  const started = await box.daemon(["--id", "unread"]);
  const { iopub_port } = box.connection(started) as unknown as { iopub_port: number };
  const stubborn = stubbornReader(iopub_port);
  let printed = 0;
  let idle = 0;
  const attentive = await connectZmtp({
    type: "SUB",
    host: "127.0.0.1",
    port: iopub_port,
    onMessage: (frames) => {
      const content = Buffer.from(frames.at(-1)!).toString("latin1");
      if (content.startsWith('{"name":"stdout"')) printed += JSON.parse(content).text.length;
      if (content === '{"execution_state":"idle"}') idle++;
    },
  });
  const client = await box.connect(started);
  // until it hears: then both are subscribed
  await until(async () => {
    await client.request(code("return 1"));
    return idle > 0;
  });
  // in parts that the attentive one has read before the next: its queue is bounded as well
  for (let part = 1; part <= PARTS; part++) {
    const idleBefore = idle;
    const reply = await client.request(
      code(
        `local line = ("x"):rep(1048575) for i = 1, ${PRINTED_MIB / PARTS} do print(line) end return "done"`,
      ),
    );
    expect(reply).toMatchObject({ status: "ok", value: "done" });
    await until(() => idle > idleBefore && printed === (part * PRINTED_MIB * MIB) / PARTS);
  }
  stubborn.read();
  await until(() => stubborn.bodies.length > 0);
  const marker = async () => {
    await client.request(code('print("read again")'));
    await Bun.sleep(50);
    return stubborn.bodies.some((body) => body.includes("read again"));
  };
  await until(marker);
  const all = stubborn.bodies.filter((body) => body.startsWith('{"name":"stdout"'));
  expect(all.reduce((sum, body) => sum + JSON.parse(body).text.length, 0)).toBeLessThan(KEPT_MIB * MIB);
  stubborn.socket.destroy();
  attentive.close();
  await client.shutdown();
}, 60_000);

test("a cell that takes memory without end is stopped by its limit; the interpreter goes on, and others are served", async () => {
  using box = new KernelSandbox();
  const started = await box.daemon(["--id", "greedy"]);
  const [greedy, other] = [await box.connect(started), await box.connect(started)];
  await greedy.request(code("kept = 41"));
  const taking = greedy.request(code('held = {} while true do held[#held + 1] = ("x"):rep(1000000) end'));
  const status = await other.request({ type: "kernel_status" });
  expect(status).toMatchObject({ status: "ok", execution_state: "busy" });
  expect(await taking).toMatchObject({
    status: "error",
    error: {
      code: "limit",
      data: { limit: "memory" },
      hint: expect.stringContaining("engines.lua.max_memory_bytes"),
    },
  });
  const after = await other.request(code("held = nil return kept + 1"));
  expect(after).toMatchObject({ status: "ok", value: 42 });
  expect(mostMib(started)).toBeLessThan(400);
  await Promise.all([greedy.shutdown(), other.shutdown()]);
}, 30_000);
