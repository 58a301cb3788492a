import { join } from "node:path";
import { LLMSPELL, medians, run, Scratch } from "./measure.ts";
import { type Row, row } from "./row.ts";

const ROUNDS = 5;
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
  const times = await medians(ROUNDS, {
    create: () => ours("create"),
    save: () => ours("save"),
    small: () => ours("store_1k"),
    large: () => ours("store_1m"),
    oneRow: () => peer("sqlite-row.ts"),
    file: () => peer("hash-and-write.ts"),
  });
  const rowPeer = { name: "bun:sqlite, one row written", figure: times.oneRow };
  return [
    row({
      name: "sessions: create, from Lua",
      unit: "µs",
      ours: times.create,
      peer: rowPeer,
      target: { of: "ours", at: "most", value: 60 },
    }),
    row({
      name: "sessions: save, from Lua",
      unit: "µs",
      ours: times.save,
      peer: rowPeer,
      target: { of: "ours", at: "most", value: 60 },
    }),
    row({
      name: "artifacts: store 1 KiB, from Lua",
      unit: "µs",
      ours: times.small,
      peer: rowPeer,
      target: { of: "ours", at: "most", value: 150 },
    }),
    row({
      name: "artifacts: store 1 MiB that does not compress, from Lua",
      unit: "µs",
      ours: times.large,
      peer: { name: "SHA-256, write, fsync, rename in Bun", figure: times.file },
      target: { of: "ratio", at: "most", value: 5 },
    }),
  ];
}
