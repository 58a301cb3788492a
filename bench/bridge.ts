import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ROUNDS = 5;

/** What a call from a script costs: across the bridge and back, and within the script's thread. */
export async function bridge(): Promise<Row[]> {
  using scratch = new Scratch();
  const script = join(import.meta.dir, "lua", "bridge.lua");
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const ours = (kind: "wait" | "local", calls: number) =>
    printed([LLMSPELL, "run", script, "--", "--kind", kind, "--calls", String(calls)]);
  const times = await medians(ROUNDS, {
    wait: () => ours("wait", 500),
    local: () => ours("local", 5_000),
    peer: () => printed([process.execPath, join(import.meta.dir, "peer", "round-trip.ts"), "500"]),
  });
  return [
    row({
      name: "bridge: wait call, median",
      unit: "µs",
      ours: times.wait,
      peer: { name: "postMessage + Atomics.wait in Bun", figure: times.peer },
      target: { of: "ours", at: "most", value: 15 },
    }),
    row({
      name: "bridge: local call, median",
      unit: "µs",
      ours: times.local,
      peer: { name: "postMessage + Atomics.wait in Bun", figure: times.peer },
      target: { of: "ours", at: "most", value: 3 },
    }),
  ];
}
