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
const LOOKS = 40;
/** Share of the time after which the first looks at memory count. */
const WARM_UP = 0.2;
const MAX_GROWTH = 0.1;

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

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  using sandbox = new KernelSandbox();
  const started = await sandbox.daemon(["--id", "crowded", "--max-clients", String(CLIENTS)]);
  const connected = await Promise.all(Array.from({ length: CLIENTS }, () => sandbox.connect(started)));
  const times: number[] = [];
  const load = { isEnding: false, asked: 0, executed: 0, turnedAway: 0 };
  const asking = connected.map((client, i) => askOn(client, uniform(seed * 1000 + i), load, times));
  const looks = await watch(started, full ? FULL_MS : SHORT_MS);
  load.isEnding = true;
  process.kill(started.pid, "SIGTERM");
  await Promise.all(asking);
  checkEnd(sandbox, started, load.executed);
  const warm = looks.slice(Math.ceil(looks.length * WARM_UP));
  const middle = [...warm].sort((a, b) => a - b)[Math.floor(warm.length / 2)]!;
  const spread = Math.max(...warm.map((bytes) => Math.abs(bytes / middle - 1)));
  check(!full || spread <= MAX_GROWTH, "memory is not flat", warm);
  const sorted = times.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(1);
  return {
    clients: CLIENTS,
    requests: load.asked,
    "lost replies": load.asked - times.length - load.turnedAway,
    "p50 (ms)": at(0.5),
    "p99 (ms)": at(0.99),
    "memory (MiB)": Math.round(middle / 1024 / 1024),
    "its spread (%)": (spread * 100).toFixed(1),
    "turned away at the end": load.turnedAway,
  };
}

/** One thing after another until the kernel ends; then refusals, interrupts and a closed connection are right too. */
async function askOn(
  client: RemoteKernel,
  random: () => number,
  load: { isEnding: boolean; asked: number; executed: number; turnedAway: number },
  times: number[],
): Promise<void> {
  for (;;) {
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

/** Resident memory, again and again. */
async function watch({ pid }: Started, forMs: number): Promise<number[]> {
  const looks: number[] = [];
  for (let i = 0; i < LOOKS; i++) {
    await Bun.sleep(forMs / LOOKS);
    looks.push(Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024);
  }
  return looks;
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
