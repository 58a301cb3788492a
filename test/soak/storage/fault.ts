/**
 * Every call that changes a file of the data directory fails once, each in its turn: afterwards the old values are there
 * or the new, whole, what was acknowledged is the new, and the message names the cause. And so where the program gets no
 * memory, which it need not survive.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../../support/cli.ts";
import { uniform } from "../../support/random.ts";
import { check, checkSound, type Ended, ended, type Figures, type Soak, type SoakOptions } from "../soak.ts";
import { faultyCommands } from "./faulty-commands.ts";
import { buildFaultyFiles, noFaultsHere } from "./faulty-files.ts";
import { type FaultyWriter, faultyWriters, PREAMBLE } from "./faulty-writers.ts";
import { checkDatabase } from "./kill.ts";

const GUARD_MS = 120_000;
const DATA = ".llmspell";
const CONFIG = "fault.toml";

interface Kind {
  name: string;
  /** As numbers of Linux. */
  errno: number;
  /** What the message must say. */
  says: RegExp;
  /** Memory of the program in place of files: it may die. */
  ofMemory?: boolean;
}

const KINDS: readonly Kind[] = [
  // SQLite tells a full disk from another failure where it writes, not where it makes room for its shared memory.
  { name: "disk full", errno: 28, says: /disk is full|disk reports an error|No space left|ENOSPC/ },
  {
    name: "disk error",
    errno: 5,
    says: /disk reports an error|I\/O error|EIO|cannot be opened|damaged|memory/i,
  },
  { name: "no memory", errno: 12, says: /./, ofMemory: true },
];

/** Of each writer and kind, about, in the short form. */
const SHORT_FAULTS = 2;

interface Fault {
  kind: Kind;
  at: number;
  lasting: boolean;
  short: boolean;
}

class FaultBench {
  constructor(
    readonly box: Sandbox,
    private readonly library: string,
  ) {}

  async run(args: readonly string[], fault?: Fault): Promise<Ended & { calls: number }> {
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
            FAULT_ERRNO: String(fault.kind.errno),
            ...(fault.lasting ? { FAULT_LASTING: "1" } : {}),
            ...(fault.short ? { FAULT_SHORT: "1" } : {}),
            ...(fault.kind.ofMemory ? { FAULT_MEMORY: "1" } : {}),
          };
    const end = await ended(this.box.start(["-c", CONFIG, ...args], { env }), GUARD_MS, args.join(" "));
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
  const totals: Totals = { faults: 0, acknowledged: 0, refused: 0, died: 0, old: 0, new: 0 };
  for (const writer of [...faultyWriters, ...faultyCommands]) {
    using box = new Sandbox();
    const bench = new FaultBench(box, buildFaultyFiles(box.root));
    await prepare(bench, writer);
    const data = join(box.home, DATA);
    const kept = join(box.root, "kept");
    cpSync(data, kept, { recursive: true });
    const again = () => {
      rmSync(data, { recursive: true });
      cpSync(kept, data, { recursive: true });
    };
    const args = writer.command?.args ?? ["run", "writes.lua"];
    for (const kind of KINDS) {
      again();
      const { calls } = await bench.run(args, { kind, at: 0, lasting: false, short: false });
      check(calls > 0, `${writer.name}: no call could be made to fail`);
      for (let at = 1; at <= calls; at++) {
        if (!full && random() * calls >= SHORT_FAULTS) continue;
        again();
        // one refusal of memory is made up for; a system without any refuses each
        const lasting = kind.ofMemory === true || random() < 0.5;
        const fault = { kind, at, lasting, short: random() < 0.5 };
        const what = `${writer.name}, ${kind.name} at call ${at} of ${calls}${fault.lasting ? " and all after" : ""}`;
        const end = await bench.run(args, fault);
        if (!kind.ofMemory) checkSound(end, what);
        else if (end.signal !== null || end.code > 128) totals.died++;
        judge(writer, end, await foundBy(bench, writer, what), kind, what, totals);
        checkDatabase(box, what);
        totals.faults++;
      }
    }
  }
  return { ...totals, half: 0, damaged: 0 };
}

async function prepare(bench: FaultBench, writer: FaultyWriter): Promise<void> {
  const { box } = bench;
  box.write(CONFIG, writer.config ?? "");
  box.write("before.lua", PREAMBLE + writer.before);
  box.write("writes.lua", PREAMBLE + (writer.writes ?? ""));
  box.write("after.lua", PREAMBLE + (writer.after ?? ""));
  const prepared = await bench.run(["run", "before.lua"]);
  check(prepared.code === 0, `${writer.name}: the old values`, prepared);
  await writer.prepare?.(box);
}

/** What is there, looked at without faults. */
async function foundBy(
  bench: FaultBench,
  writer: FaultyWriter,
  what: string,
): Promise<Record<string, string>> {
  if (writer.found !== undefined) return writer.found(bench.box, what);
  const found = await bench.run(["run", "after.lua"]);
  check(found.code === 0, `${what}: what is there cannot be read`, found);
  return JSON.parse(found.stdout);
}

interface Totals {
  faults: number;
  acknowledged: number;
  refused: number;
  /** Without memory. */
  died: number;
  old: number;
  new: number;
}

type Step = { outcome: string; message: string };

/** What each step said of itself. */
function stepsOf({ command }: FaultyWriter, end: Ended): Map<string, Step> {
  if (command !== undefined) {
    if (end.signal !== null || end.code > 1) return new Map();
    return new Map([[command.step, { outcome: end.code === 0 ? "ok" : "failed", message: end.stderr }]]);
  }
  const lines = end.stdout.split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const [outcome, step, message = ""] = line.split("\t");
      return [step!, { outcome: outcome!, message }];
    }),
  );
}

function judge(
  writer: FaultyWriter,
  end: Ended,
  found: Record<string, string>,
  { says, ofMemory = false }: Kind,
  what: string,
  totals: Totals,
): void {
  const steps = stepsOf(writer, end);
  // A script that cannot even start says why.
  if (steps.size === 0 && !ofMemory)
    check(end.code === 1 && says.test(end.stderr), `${what}: it hides the cause`, end);
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
  description: "every call that changes a file of the data directory, or asks for memory, fails in its turn",
  run,
};
