import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ROUNDS = 5;
const BRANCHES = 100;
/** What `max_concurrency` is where nothing is said. */
const AT_ONCE = 4;

/** What a workflow adds to the calls of its tools, from a script. */
export async function workflows(): Promise<Row[]> {
  using scratch = new Scratch();
  const stateless = await scratch.file("stateless.toml", "[runtime.state_persistence]\nenabled = false\n");
  const script = join(import.meta.dir, "lua", "workflows.lua");
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const ours = (kind: string, options: string[] = [], args: string[] = []) =>
    printed([LLMSPELL, ...options, "run", script, "--", "--kind", kind, ...args]);
  const branches = (atOnce: number) => ours("branches", ["-c", stateless], ["--at_once", String(atOnce)]);
  const peer = (file: string, ...args: string[]) =>
    printed([process.execPath, join(import.meta.dir, "peer", file), ...args]);
  // each run writes journals under the same ids: a database of its own
  const durable = async () => {
    using own = new Scratch();
    const command = [LLMSPELL, "-c", stateless, "run", script, "--", "--kind", "durable"];
    return Number((await run(command, own)).stdout);
  };
  const times = await medians(ROUNDS, {
    calls: () => ours("calls", ["-c", stateless]),
    steps: () => ours("steps", ["-c", stateless]),
    withState: () => ours("steps"),
    durable,
    branches: () => branches(AT_ONCE),
    allBranches: () => branches(BRANCHES),
    loop: () => peer("promise-loop.ts", "steps"),
    pool: () => peer("promise-loop.ts", "branches", String(AT_ONCE)),
    wholePool: () => peer("promise-loop.ts", "branches", String(BRANCHES)),
    oneRow: () => peer("sqlite-row.ts"),
  });
  const loop = { name: "a step in a plain loop of promises", figure: times.loop };
  const oneRow = { name: "bun:sqlite, one row written", figure: times.oneRow };
  return [
    row({
      name: "workflows: a step with its tool's call",
      unit: "µs",
      ours: times.steps,
      peer: loop,
      target: { of: "ours", at: "most", value: 150 },
    }),
    row({
      name: "workflows: a step with its tool's call, beside the call alone",
      unit: "µs",
      ours: times.steps,
      peer: { name: "Tool.execute in a loop of the script", figure: times.calls },
      target: { of: "ratio", at: "most", value: 1 },
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
      name: `workflows: a run of ${BRANCHES} parallel branches, ${AT_ONCE} at a time`,
      unit: "µs",
      ours: times.branches,
      peer: { name: `${BRANCHES} promises, ${AT_ONCE} at a time`, figure: times.pool },
      target: { of: "ours", at: "most", value: 10_000 },
    }),
    row({
      name: `workflows: a run of ${BRANCHES} parallel branches, all at once`,
      unit: "µs",
      ours: times.allBranches,
      peer: { name: `${BRANCHES} promises, all at once`, figure: times.wholePool },
      target: { of: "ours", at: "most", value: 10_000 },
    }),
  ];
}
