/**
 * Every call that changes a file of the data directory fails once, each in its turn: afterwards the old values are there
 * or the new, whole, what was acknowledged is the new, and the message names the cause.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { uniform } from "../../support/random.ts";
import { check, checkSound, type Ended, ended, type Figures, type Soak, type SoakOptions } from "../soak.ts";
import { buildFaultyFiles, noFaultsHere } from "./faulty-files.ts";
import { faultyWriters, PREAMBLE } from "./faulty-writers.ts";
import { checkDatabase } from "./kill.ts";

const GUARD_MS = 120_000;
const DATA = ".llmspell";
const CONFIG = "fault.toml";

/** As numbers of Linux, with what the message must say. */
const FAULTS = [
  // SQLite tells a full disk from another failure where it writes, not where it makes room for its shared memory.
  { name: "disk full", errno: 28, says: /disk is full|disk reports an error|No space left|ENOSPC/ },
  {
    name: "disk error",
    errno: 5,
    says: /disk reports an error|I\/O error|EIO|cannot be opened|damaged|memory/i,
  },
];

/** Of each writer and kind, about, in the short form. */
const SHORT_FAULTS = 3;

interface Fault {
  errno: number;
  at: number;
  lasting: boolean;
  short: boolean;
}

class FaultBench {
  constructor(
    readonly box: Sandbox,
    private readonly library: string,
  ) {}

  async run(script: string, fault?: Fault): Promise<Ended & { calls: number }> {
    const count = join(this.box.root, "calls");
    rmSync(count, { force: true });
    const env: Record<string, string> =
      fault === undefined
        ? {}
        : {
            LD_PRELOAD: this.library,
            FAULT_PATH: `/${DATA}/`,
            FAULT_COUNT: count,
            FAULT_AT: String(fault.at),
            FAULT_ERRNO: String(fault.errno),
            ...(fault.lasting ? { FAULT_LASTING: "1" } : {}),
            ...(fault.short ? { FAULT_SHORT: "1" } : {}),
          };
    const end = await ended(this.box.start(["-c", CONFIG, "run", script], { env }), GUARD_MS, script);
    const calls = await Bun.file(count)
      .text()
      .catch(() => "0");
    return { ...end, calls: Number(calls) };
  }
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const reason = noFaultsHere();
  if (reason !== undefined) {
    console.error(`fault: skipped: ${reason}`);
    return { skipped: reason };
  }
  const random = uniform(seed);
  using box = new Sandbox();
  const bench = new FaultBench(box, buildFaultyFiles(box.root));
  const totals = { faults: 0, acknowledged: 0, refused: 0, old: 0, new: 0 };
  for (const writer of faultyWriters) {
    box.write(CONFIG, writer.config ?? "");
    box.write("before.lua", PREAMBLE + writer.before);
    box.write("writes.lua", PREAMBLE + writer.writes);
    box.write("after.lua", PREAMBLE + writer.after);
    const prepared = await bench.run("before.lua");
    check(prepared.code === 0, `${writer.name}: the old values`, prepared);
    const data = join(box.home, DATA);
    const kept = join(box.root, "kept");
    cpSync(data, kept, { recursive: true });
    const { calls } = await bench.run("writes.lua", { errno: 5, at: 0, lasting: false, short: false });
    check(calls > 0, `${writer.name}: no call could be made to fail`);
    for (const { name, errno, says } of FAULTS) {
      for (let at = 1; at <= calls; at++) {
        if (!full && random() * calls >= SHORT_FAULTS) continue;
        rmSync(data, { recursive: true });
        cpSync(kept, data, { recursive: true });
        const fault = { errno, at, lasting: random() < 0.5, short: random() < 0.5 };
        const what = `${writer.name}, ${name} at call ${at} of ${calls}${fault.lasting ? " and all after" : ""}`;
        const end = await bench.run("writes.lua", fault);
        checkSound(end, what);
        const found = await bench.run("after.lua");
        check(found.code === 0, `${what}: what is there cannot be read`, found);
        judge(end, JSON.parse(found.stdout), says, what, totals);
        checkDatabase(box, what);
        totals.faults++;
      }
    }
    rmSync(kept, { recursive: true });
    rmSync(data, { recursive: true });
  }
  return { ...totals, half: 0, damaged: 0 };
}

interface Totals {
  acknowledged: number;
  refused: number;
  old: number;
  new: number;
}

function judge(end: Ended, found: Record<string, string>, says: RegExp, what: string, totals: Totals): void {
  const steps = new Map(
    end.stdout
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [outcome, step, message = ""] = line.split("\t");
        return [step!, { outcome: outcome!, message }] as const;
      }),
  );
  // A script that cannot even start says why.
  if (steps.size === 0) check(end.code === 1 && says.test(end.stderr), `${what}: it hides the cause`, end);
  for (const [step, value] of Object.entries(found)) {
    const { outcome, message } = steps.get(step) ?? { outcome: "none", message: "" };
    check(value === "old" || value === "new", `${what}: ${step} is neither old nor new`, found);
    totals[value]++;
    if (outcome === "ok") {
      check(value === "new", `${what}: ${step} was acknowledged and is lost`, found);
      totals.acknowledged++;
    } else if (outcome === "failed") {
      check(says.test(message), `${what}: ${step} hides the cause`, message);
      totals.refused++;
    }
  }
}

export const fault: Soak = {
  name: "fault",
  description: "every call that changes a file of the data directory fails in its turn",
  run,
};
