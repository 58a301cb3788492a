/**
 * What plain Bun charges for a synchronous call from one thread to another: a request by postMessage, a wait in
 * Atomics.wait, the reply by structured clone. Prints the median in microseconds.
 */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from "node:worker_threads";

const BATCHES = 61;
const CALLS = Number(process.argv[2] ?? 500);

interface Line {
  port: MessagePort;
  flag: Int32Array;
  calls: number;
}

function caller({ port, flag, calls }: Line): void {
  const times: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const started = performance.now();
    for (let i = 0; i < calls; i++) {
      Atomics.store(flag, 0, 0);
      port.postMessage({ id: i, target: "Provider.get", args: ["bench"] });
      Atomics.wait(flag, 0, 0);
      while (receiveMessageOnPort(port) === undefined) Atomics.pause();
    }
    times.push(((performance.now() - started) * 1000) / calls);
  }
  times.sort((a, b) => a - b);
  port.postMessage({ median: times[BATCHES >> 1] });
}

function main(): void {
  const { port1, port2 } = new MessageChannel();
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { port: port2, flag, calls: CALLS } satisfies Line,
    transferList: [port2],
  });
  port1.on("message", (message: { id: number; args: string[] } | { median: number }) => {
    if ("median" in message) {
      console.log(message.median);
      port1.close();
      worker.terminate();
      return;
    }
    port1.postMessage({ id: message.id, ok: true, value: message.args[0] });
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
}

if (Bun.isMainThread) main();
else caller(workerData as Line);
