import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ROUNDS = 5;

/** What a workflow adds to the calls of its tools, from a script. */
export async function workflows(): Promise<Row[]> {
  using scratch = new Scratch();
  const stateless = await scratch.file("stateless.toml", "[runtime.state_persistence]\nenabled = false\n");
  const script = join(import.meta.dir, "lua", "workflows.lua");
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const ours = (kind: string, ...options: string[]) =>
    printed([LLMSPELL, ...options, "run", script, "--", "--kind", kind]);
  const peer = (file: string, ...args: string[]) =>
    printed([process.execPath, join(import.meta.dir, "peer", file), ...args]);
  // each run writes journals under the same ids: a database of its own
  const durable = async () => {
    using own = new Scratch();
    const command = [LLMSPELL, "-c", stateless, "run", script, "--", "--kind", "durable"];
    return Number((await run(command, own)).stdout);
  };
  const times = await medians(ROUNDS, {
    steps: () => ours("steps", "-c", stateless),
    withState: () => ours("steps"),
    durable,
    branches: () => ours("branches", "-c", stateless),
    loop: () => peer("promise-loop.ts", "steps"),
    pool: () => peer("promise-loop.ts", "branches"),
    oneRow: () => peer("sqlite-row.ts"),
  });
  const loop = { name: "a loop of promises over the same tool", figure: times.loop };
  const oneRow = { name: "bun:sqlite, one row written", figure: times.oneRow };
  return [
    row({
      name: "workflows: what a step adds to its tool's call",
      unit: "µs",
      ours: times.steps - times.loop,
      peer: loop,
      target: { of: "ours", at: "most", value: 50 },
    }),
    row({
      name: "workflows: what a step adds with its state keys",
      unit: "µs",
      ours: times.withState - times.steps,
      peer: oneRow,
      target: { of: "ours", at: "most", value: 150 },
    }),
    row({
      name: "workflows: one write of the journal (a durable step has two)",
      unit: "µs",
      ours: (times.durable - times.steps) / 2,
      peer: oneRow,
      target: { of: "ratio", at: "most", value: 4 },
    }),
    row({
      name: "workflows: a run of 100 parallel branches",
      unit: "µs",
      ours: times.branches,
      peer: { name: "100 calls in promises, 4 at a time", figure: times.pool },
      target: { of: "ours", at: "most", value: 10_000 },
    }),
  ];
}
