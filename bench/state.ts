import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { betterSqlite3, installBetterSqlite3 } from "./peer/better-sqlite3.ts";
import { type Figure, type Row, rows, Unavailable } from "./row.ts";

const ROUNDS = 5;
const CALLS = "1000";
/** What the reference publishes as its goals, in microseconds. */
const REFERENCE = { write: 5000, read: 1000 };

/** What reading and writing state costs a script; a write survives the end of the process when it returns. */
export async function state(): Promise<Row[]> {
  using scratch = new Scratch();
  const script = join(import.meta.dir, "lua", "state.lua");
  const peer = join(import.meta.dir, "peer", "sqlite.ts");
  const better = await installBetterSqlite3();
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const ours = (kind: string) => () =>
    printed([LLMSPELL, "run", script, "--", "--kind", kind, "--calls", CALLS]);
  const limit = (kind: string) => () =>
    printed([process.execPath, peer, join(scratch.path, "peer.db"), kind, CALLS]);
  const onNode = (kind: string) => async () =>
    better instanceof Unavailable
      ? Number.NaN
      : printed([...betterSqlite3(better), join(scratch.path, "better.db"), kind, CALLS]);
  const times = await medians(ROUNDS, {
    write: ours("write"),
    read: ours("read"),
    writeLimit: limit("write"),
    readLimit: limit("read"),
    writeBetter: onNode("write"),
    readBetter: onNode("read"),
  });
  return (["write", "read"] as const).flatMap((kind) => {
    const onNodeFigure: Figure = better instanceof Unavailable ? better : times[`${kind}Better`];
    return rows(
      {
        name: `state: ${kind} from Lua, median`,
        unit: "µs",
        ours: times[kind],
        target: { of: "ours", at: "most", value: kind === "write" ? 60 : 25 },
      },
      [
        { name: "bun:sqlite without scripts (limit)", figure: times[`${kind}Limit`] },
        { name: "better-sqlite3 on Node, without scripts", figure: onNodeFigure },
        { name: "the reference's goal", figure: REFERENCE[kind] },
      ],
    );
  });
}
