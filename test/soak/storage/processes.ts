/** Many processes that write to one data directory at once: no write is lost, none is refused because of another. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { check, checkSound, ended, type Figures, type Soak, type SoakOptions } from "../soak.ts";
import { checkDatabase } from "./kill.ts";
import { SHARED_CONFIG, sharedWriters } from "./shared-writers.ts";

const PROCESSES = 16;

const script = `local id, seconds = ARGS[1], tonumber(ARGS[2])
${sharedWriters.map(({ round, end }) => `${round}\n${end}`).join("\n")}
local until_s, i = os.time() + seconds, 0
while os.time() < until_s do
  i = i + 1
${sharedWriters.map(({ name }) => `  ${name}(i, id)`).join("\n")}
end
${sharedWriters.map(({ name }) => `${name}_end(id)`).join("\n")}
print(i)`;

async function run({ full }: SoakOptions): Promise<Figures> {
  const seconds = full ? 300 : 3;
  const guardMs = (seconds + 120) * 1000;
  using box = new Sandbox();
  box.write("long.toml", SHARED_CONFIG);
  box.write("write.lua", script);
  const wal = new LargestFile(join(box.home, ".llmspell/llmspell.db-wal"));
  const started = Array.from({ length: PROCESSES }, (_, id) =>
    box.start(["-c", "long.toml", "run", "write.lua", "--", String(id + 1), String(seconds)]),
  );
  const ends = await Promise.all(started.map((proc, id) => ended(proc, guardMs, `process ${id + 1}`)));
  wal.stop();
  const rounds = ends.map((end, id) => {
    const what = `process ${id + 1}`;
    checkSound(end, what);
    check(end.code === 0 && end.stderr === "", `${what} failed`, end);
    return Number(end.stdout);
  });
  const total = rounds.reduce((sum, n) => sum + n, 0);
  for (const { name, total: code } of sharedWriters) {
    const end = await ended(box.start(["-c", "long.toml", "exec", code]), guardMs, name);
    check(
      Number(end.stdout) === total,
      `${name}: ${total} rounds were acknowledged, ${end.stdout} are there`,
      end,
    );
  }
  checkDatabase(box, "after all");
  return {
    processes: PROCESSES,
    seconds,
    rounds: total,
    "rounds a second": Math.round(total / seconds),
    "fewest of a process": Math.min(...rounds),
    "most of a process": Math.max(...rounds),
    "largest log MiB": Math.round((wal.bytes / 2 ** 20) * 10) / 10,
    lost: 0,
    refused: 0,
  };
}

/** The most that a file has held. */
class LargestFile {
  bytes = 0;
  private readonly timer: Timer;

  constructor(path: string) {
    this.timer = setInterval(() => {
      this.bytes = Math.max(this.bytes, statSync(path, { throwIfNoEntry: false })?.size ?? 0);
    }, 50);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

export const processes: Soak = {
  name: "processes",
  description: "16 processes that write to one data directory",
  run,
};
