import { expect, test } from "bun:test";
import { LIMITS } from "../../../src/kernel/transport/zmq/connection.ts";
import { EchoSocket, PubSocket, RouterSocket } from "../../../src/kernel/transport/zmq/sockets.ts";
import { debianPython } from "../../support/python.ts";

const options = { host: "127.0.0.1", port: 0, limits: LIMITS, maxConnections: 100 };
const python = debianPython("zmq");
const bytes = (text: string) => new TextEncoder().encode(text);

test.skipIf(python === undefined)("libzmq's sockets and ours understand each other", async () => {
  const router = new RouterSocket(options, (identity, frames) => router.send(identity, frames));
  const pub = new PubSocket(options);
  const rep = new EchoSocket(options);
  const peer = Bun.spawn(
    [python!, `${import.meta.dir}/peer.py`, ...[router, pub, rep].map(({ port }) => String(port))],
    { stdout: "pipe", stderr: "inherit" },
  );
  let output = "";
  let publishing: Timer | undefined;
  for await (const chunk of peer.stdout) {
    output += new TextDecoder().decode(chunk);
    // subscriptions arrive at their own time: say it until the peer has heard the end
    if (output.startsWith("subscribed"))
      publishing ??= setInterval(() => {
        for (const topic of ["a", "news today", "end"]) pub.publish([bytes(topic), bytes("body")]);
      }, 20);
  }
  clearInterval(publishing);
  await Promise.all([router.close(), pub.close(), rep.close()]);
  const found = JSON.parse(output.split("\n")[1]!);
  expect(found).toMatchObject({
    dealer: Array(10).fill(true),
    routed: ["mine", "yours"],
    twin: "turned away",
    after: "answered",
    beats: [true, true, true],
    fickle: ["end"],
    news: ["news today", "news today"],
  });
  expect(["a", "news today", "end"]).toEqual(expect.arrayContaining(found.everything));
});
