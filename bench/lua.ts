import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { program } from "./peers.ts";
import { type Row, row, Unavailable } from "./row.ts";

const PROGRAMS = ["fib", "nbody", "spectral-norm", "strings", "trees"];
const ROUNDS = 5;

/** Whole runs of five programs, start-up included, beside Debian's interpreter; both must print the same. */
export async function lua(): Promise<Row[]> {
  using scratch = new Scratch();
  const native = program("lua5.4");
  const rows: Row[] = [];
  for (const name of PROGRAMS) {
    const script = join(import.meta.dir, "lua", `${name}.lua`);
    const printed = new Set<string>();
    const timed = (command: readonly string[]) => async () => {
      const { stdout, totalMs } = await run(command, scratch);
      printed.add(stdout);
      return totalMs;
    };
    const ours = timed([LLMSPELL, "run", script]);
    const times: Record<string, number> =
      native instanceof Unavailable
        ? await medians(ROUNDS, { ours })
        : await medians(ROUNDS, { ours, peer: timed([native, script]) });
    if (printed.size > 1)
      throw new Error(`${name}.lua printed different things: ${[...printed].join(" / ")}`);
    rows.push(
      row({
        name: `lua: ${name}`,
        unit: "ms",
        ours: times.ours!,
        peer: { name: "lua5.4", figure: native instanceof Unavailable ? native : times.peer! },
        target: { of: "ratio", at: "most", value: 2 },
      }),
    );
  }
  return rows;
}
