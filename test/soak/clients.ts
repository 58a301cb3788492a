/** Many clients of one kernel, each asking one thing after another; then SIGTERM while they ask. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelReply, KernelRequest } from "../../src/kernel/api.ts";
import type { RemoteKernel } from "../../src/kernel/remote-client.ts";
import { code, KernelSandbox, type Started } from "../support/kernel.ts";
import { uniform } from "../support/random.ts";
import { between, check, type Figures, pick, type Soak, type SoakOptions } from "./soak.ts";

const CLIENTS = 50;
const FULL_MS = 600_000;
const SHORT_MS = 10_000;
/** In the full form: the times at which the clients pause, so that memory can be compared without what collectors still owe. */
const PAUSES = 20;
/** Longer than a kernel without requests takes to collect. */
const PAUSE_MS = 3500;
/** Looks at memory under load, between two pauses. */
const LOOKS = 4;
/** Share of the time after which the first looks at memory count. */
const WARM_UP = 0.2;
/** In pauses, from their middle. */
const MAX_SPREAD = 0.1;
/** Most memory under load, of that in pauses. */
const MAX_PEAK = 2;

export const clients: Soak = {
  name: "clients",
  description: `${CLIENTS} clients of one kernel with mixed requests, then SIGTERM under load`,
  run,
};

interface Asked {
  request: KernelRequest;
  /** What the right reply holds. */
  isRight: (reply: KernelReply) => boolean;
}

function draw(random: () => number): Asked {
  const a = between(random, 0, 1_000_000);
  const is = (value: unknown) => (reply: KernelReply) =>
    reply.status === "ok" && Bun.deepEquals((reply as { value?: unknown }).value, value);
  return pick<() => Asked>(random, [
    () => ({ request: code(`return ${a} + 1`), isRight: is(a + 1) }),
    () => ({ request: code(`for i = 1, 20 do print(i) end return "${a}"`), isRight: is(String(a)) }),
    () => ({
      request: code(`return Tool.execute("calculator", {input = "${a} * 2"}).result ~= nil`),
      isRight: is(true),
    }),
    () => ({
      request: code(`error("${a}")`),
      isRight: (reply) => reply.status === "error" && reply.error.message.includes(String(a)),
    }),
    () => ({
      request: { type: "tool", command: "info", name: "calculator", showSchema: false },
      isRight: (reply) => reply.status === "ok" && (reply as { name?: unknown }).name === "calculator",
    }),
    () => ({
      request: { type: "is_complete", code: `x = ${a} +` },
      isRight: (reply) => reply.status === "ok" && (reply as { state?: unknown }).state === "incomplete",
    }),
    () => ({
      request: { type: "kernel_status" },
      isRight: (reply) => reply.status === "ok" && "health" in reply,
    }),
  ])();
}

interface Load {
  isEnding: boolean;
  /** Set while the clients ask nothing. */
  pause: Promise<void> | undefined;
  asked: number;
  executed: number;
  turnedAway: number;
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  using sandbox = new KernelSandbox();
  const started = await sandbox.daemon(["--id", "crowded", "--max-clients", String(CLIENTS)]);
  const connected = await Promise.all(Array.from({ length: CLIENTS }, () => sandbox.connect(started)));
  const times: number[] = [];
  const load: Load = { isEnding: false, pause: undefined, asked: 0, executed: 0, turnedAway: 0 };
  const asking = connected.map((client, i) => askOn(client, uniform(seed * 1000 + i), load, times));
  const memory = await watch(started, load, full ? FULL_MS : SHORT_MS, full ? PAUSES : 1);
  load.isEnding = true;
  process.kill(started.pid, "SIGTERM");
  await Promise.all(asking);
  checkEnd(sandbox, started, load.executed);
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(1);
  const held = [...memory.held].sort((a, b) => a - b);
  const middle = held[Math.floor(held.length / 2)]!;
  const spread = Math.max(...held.map((bytes) => Math.abs(bytes / middle - 1)));
  const peak = Math.max(...memory.loaded);
  const figures = {
    clients: CLIENTS,
    requests: load.asked,
    "lost replies": load.asked - times.length - load.turnedAway,
    "p50 (ms)": at(0.5),
    "p99 (ms)": at(0.99),
    "memory in pauses (MiB)": mebibytes(middle),
    "its spread (%)": (spread * 100).toFixed(1),
    "most memory under load (MiB)": mebibytes(peak),
    "turned away at the end": load.turnedAway,
  };
  const looks = () => ({
    ...figures,
    pauses: memory.held.map(mebibytes),
    loaded: memory.loaded.map(mebibytes),
  });
  check(!full || spread <= MAX_SPREAD, "memory is not flat", looks());
  check(!full || peak <= middle * MAX_PEAK, "memory rises under load", looks());
  return figures;
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

/** One thing after another until the kernel ends; then refusals, interrupts and a closed connection are right too. */
async function askOn(client: RemoteKernel, random: () => number, load: Load, times: number[]): Promise<void> {
  for (;;) {
    await load.pause;
    const { request, isRight } = draw(random);
    const begunMs = performance.now();
    load.asked++;
    const reply = await client.request(request);
    if (isRight(reply)) {
      times.push(performance.now() - begunMs);
      if (request.type === "execute") load.executed++;
      continue;
    }
    check(load.isEnding && reply.status === "error", "a reply is wrong", { request, reply });
    check(["interrupted", "network"].includes(reply.error.code), "a request ended oddly", reply);
    load.turnedAway++;
    return;
  }
}

/** Resident memory under load, and in pauses of the load, when what requests left behind is collected; after warm-up. */
async function watch(
  { pid }: Started,
  load: Load,
  forMs: number,
  pauses: number,
): Promise<{ loaded: number[]; held: number[] }> {
  const loaded: number[] = [];
  const held: number[] = [];
  for (let i = 0; i < pauses; i++) {
    const isWarm = i >= pauses * WARM_UP || pauses === 1;
    for (let look = 0; look < LOOKS; look++) {
      await Bun.sleep((forMs / pauses - PAUSE_MS) / LOOKS);
      if (isWarm) loaded.push(rssBytesOf(pid));
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    load.pause = promise;
    await Bun.sleep(PAUSE_MS);
    if (isWarm) held.push(rssBytesOf(pid));
    load.pause = undefined;
    resolve();
  }
  return { loaded, held };
}

function rssBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** Every phase ran, in order; every execution that was acknowledged was counted. */
function checkEnd(sandbox: KernelSandbox, started: Started, acknowledged: number): void {
  const log = sandbox.logOf(started);
  const phases = [...log.matchAll(/phase=(\w+)/g)].map(([, phase]) => phase);
  const expected = ["Initiated", "WaitingForOperations", "SavingState", "NotifyingClients", "Cleanup"];
  check(Bun.deepEquals(phases.slice(0, 5), expected), "a phase of the end is missing", phases);
  const state = JSON.parse(readFileSync(join(sandbox.data, "kernel_state.json"), "utf8"));
  check(
    state.shutdown_reason === "graceful" &&
      state.active_operations === 0 &&
      state.execution_count >= acknowledged,
    "the state that was saved lacks what was acknowledged",
    { state, acknowledged },
  );
}
