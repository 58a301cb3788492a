import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { betterSqlite3, installBetterSqlite3 } from "./peer/better-sqlite3.ts";
import { type Row, row, rows, Unavailable } from "./row.ts";

const ROUNDS = 5;
/** What the reference publishes of itself, in microseconds; it does not say where the session goes. Of artifacts it says nothing. */
const REFERENCE = { create: 25, save: 15 };
const CONFIG = `[runtime.sessions]
enabled = true
storage_backend = "sqlite"
max_sessions = 1000000
max_artifacts_per_session = 1000000
`;

/** What sessions cost a script, over SQLite, the call across the bridge included. */
export async function sessions(): Promise<Row[]> {
  using scratch = new Scratch();
  const config = await scratch.file("sessions.toml", CONFIG);
  const script = join(import.meta.dir, "lua", "sessions.lua");
  const printed = async (command: readonly string[]) => Number((await run(command, scratch)).stdout);
  const ours = (operation: string) =>
    printed([LLMSPELL, "-c", config, "run", script, "--", "--operation", operation]);
  const peer = (file: string) => printed([process.execPath, join(import.meta.dir, "peer", file)]);
  const better = await installBetterSqlite3();
  const onNode = async () =>
    better instanceof Unavailable
      ? Number.NaN
      : printed([...betterSqlite3(better), join(scratch.path, "better.db"), "row", "50"]);
  const times = await medians(ROUNDS, {
    create: () => ours("create"),
    save: () => ours("save"),
    small: () => ours("store_1k"),
    large: () => ours("store_1m"),
    oneRow: () => peer("sqlite-row.ts"),
    oneRowOnNode: onNode,
    file: () => peer("hash-and-write.ts"),
  });
  const rowPeers = [
    { name: "bun:sqlite, one row written", figure: times.oneRow },
    {
      name: "better-sqlite3 on Node, one row written",
      figure: better instanceof Unavailable ? better : times.oneRowOnNode,
    },
  ];
  const claimed = (figure: number) => ({ name: "the reference's own claim", figure });
  return [
    ...rows(
      {
        name: "sessions: create, from Lua",
        unit: "µs",
        ours: times.create,
        target: { of: "ours", at: "most", value: 60 },
      },
      [...rowPeers, claimed(REFERENCE.create)],
    ),
    ...rows(
      {
        name: "sessions: save, from Lua",
        unit: "µs",
        ours: times.save,
        target: { of: "ours", at: "most", value: 60 },
      },
      [...rowPeers, claimed(REFERENCE.save)],
    ),
    ...rows(
      {
        name: "artifacts: store 1 KiB, from Lua",
        unit: "µs",
        ours: times.small,
        target: { of: "ours", at: "most", value: 150 },
      },
      rowPeers,
    ),
    row({
      name: "artifacts: store 1 MiB that does not compress, from Lua",
      unit: "µs",
      ours: times.large,
      peer: { name: "SHA-256, write, fsync, rename in Bun", figure: times.file },
      target: { of: "ratio", at: "most", value: 5 },
    }),
  ];
}
