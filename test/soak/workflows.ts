/**
 * A durable workflow of 30 steps that is killed, and goes on. Each step appends a line to a file of its own, or computes or
 * asks. First with steps that may not be repeated, killed at every write of the journal: each effect is there exactly once.
 * Then with some that may be, killed within any write to the database or to the files of its effects, and again while it goes
 * on: what the journal said was done is not done again, and what may not be repeated was done once. All results are those
 * worked out by hand.
 */
import { uniform } from "../support/random.ts";
import { between, check, checkSound, type Figures, type Soak, type SoakOptions } from "./soak.ts";
import { noFaultsHere } from "./storage/faulty-files.ts";
import { checkDatabase } from "./storage/kill.ts";
import { type Kill, WorkflowBench } from "./workflows/bench.ts";
import {
  CONFIG,
  EFFECTS,
  effectOf,
  JOURNAL_ONLY,
  LEAVES,
  OUTPUT,
  SCRIPT,
  STRICT_SCRIPT,
  wrongIn,
} from "./workflows/flow.ts";

const RUN = ["run", "flow.lua"];
/** Kills at calls that are drawn, in the short form. */
const DRAWN = 4;

async function run(options: SoakOptions): Promise<Figures> {
  const reason = noFaultsHere();
  if (reason !== undefined) {
    console.error(`workflows: skipped: ${reason}`);
    return { skipped: reason };
  }
  const strict = await atEveryWrite();
  const torn = await withinWrites(options);
  return {
    steps: LEAVES,
    ...strict,
    ...torn,
    lost: 0,
    "done twice though journalled or not repeatable": 0,
    "wrong results": 0,
  };
}

/** Killed before the n-th write of the journal is there, for every n: the one before it is. */
async function atEveryWrite(): Promise<Figures> {
  using bench = new WorkflowBench(JOURNAL_ONLY, STRICT_SCRIPT);
  const whole = await bench.run(RUN, "the whole run", { place: "commits", at: 0, half: false });
  checkEnded(bench, whole, "the run that is not killed");
  checkOnce(bench, "the run that is not killed");
  // a step has two, and the run begins and ends
  check(whole.calls >= 2 * LEAVES + 2, `it has only ${whole.calls} writes`);
  let decided = 0;
  for (let at = 1; at <= whole.calls; at++) {
    const what = `killed at write ${at} of ${whole.calls}`;
    bench.fresh();
    const killed = await bench.run(RUN, what, { place: "commits", at, half: false });
    check(killed.signal === "SIGKILL", `${what}: it ended by itself`, killed);
    let end = await bench.run(RUN, `${what}, resumed`);
    if (end.code !== 0) {
      checkAsked(bench, end, what);
      decided++;
      const args = ["workflow", "resume", "soak", ...bench.decisions()];
      end = await bench.run(args, `${what}, resumed with a decision`);
    }
    checkEnded(bench, end, what);
    checkOnce(bench, what);
    checkDatabase(bench.box, what);
  }
  return { "writes of the journal, killed at each": whole.calls, "of these asked for a decision": decided };
}

function checkOnce(bench: WorkflowBench, what: string): void {
  for (const effect of Object.keys(EFFECTS)) {
    const times = bench.times(effect);
    check(times === 1, `${what}: ${effect} was done ${times} times`);
  }
}

interface End {
  code: number;
  stdout: string;
  stderr: string;
}

/** A run that ended well gives what was worked out by hand. */
function checkEnded(bench: WorkflowBench, end: End, what: string): void {
  check(end.code === 0 && end.stderr === "", `${what}: it fails`, end);
  check(end.stdout === OUTPUT, `${what}: another result`, { got: end.stdout, expected: OUTPUT });
  const { status, steps } = bench.journal();
  check(status === "completed", `${what}: the journal says ${status}`);
  const wrong = wrongIn(steps);
  check(wrong.length === 0, `${what}: other results`, wrong);
}

/** One that did not can only wait for a decision. */
function checkAsked(bench: WorkflowBench, end: End, what: string): void {
  check(
    /not repeatable: nobody knows whether (it was|they were) done/.test(end.stderr),
    `${what}: it fails for another reason`,
    end,
  );
  check(bench.journal().status === "interrupted", `${what}: it is not reported`, bench.journal());
}

interface Totals {
  kills: number;
  reported: number;
  repeated: number;
  restored: number;
}

async function withinWrites({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  using bench = new WorkflowBench(CONFIG, SCRIPT);
  const totals: Totals = { kills: 0, reported: 0, repeated: 0, restored: 0 };
  const writes = { database: 0, effects: 0 };
  for (const place of ["database", "effects"] as const) {
    bench.fresh();
    const whole = await bench.run(RUN, "the whole run", { place, at: 0, half: false });
    checkEnded(bench, whole, "the run that is not killed");
    writes[place] = whole.calls;
    const all = Array.from({ length: whole.calls }, (_, i) => i + 1);
    const drawn = () => between(random, 1, whole.calls + 1);
    for (const at of full ? all : Array.from({ length: DRAWN }, drawn)) {
      bench.fresh();
      const kill: Kill = { place, at, half: random() < 0.3 };
      const what = `killed at call ${at} of ${whole.calls} (${place})${kill.half ? ", half of it written" : ""}`;
      const first = await bench.run(RUN, what, kill);
      check(first.signal === "SIGKILL", `${what}: it ended by itself`, first);
      totals.kills++;
      await goOn(bench, writes.database, what, random, totals);
      checkDatabase(bench.box, what);
    }
  }
  return {
    "calls that change the database": writes.database,
    "that change effects": writes.effects,
    ...totals,
  };
}

/** Until it has ended, killed again now and then. */
async function goOn(
  bench: WorkflowBench,
  calls: number,
  what: string,
  random: () => number,
  totals: Totals,
): Promise<void> {
  const done = new Map<string, number>();
  for (let start = 1; ; start++) {
    check(start < 60, `${what}: it never comes to its end`, bench.journal());
    noteDone(bench, done, what);
    totals.restored = Math.max(totals.restored, done.size);
    const kill =
      start <= 3 && random() < 0.4
        ? { place: "database" as const, at: between(random, 1, calls), half: random() < 0.3 }
        : undefined;
    const isAsked = bench.journal().status === "interrupted";
    const args = isAsked ? ["workflow", "resume", "soak", ...bench.decisions()] : RUN;
    const end = await bench.run(args, `${what}, start ${start}`, kill);
    if (end.signal === "SIGKILL") {
      totals.kills++;
      continue;
    }
    checkSound(end, what);
    if (isAsked) totals.reported++;
    if (end.code === 0) {
      checkEnded(bench, end, what);
      break;
    }
    checkAsked(bench, end, what);
  }
  noteDone(bench, done, what);
  for (const [effect, mayRepeat] of Object.entries(EFFECTS)) {
    const times = bench.times(effect);
    check(times >= 1, `${what}: ${effect} was never done`);
    check(times === 1 || mayRepeat, `${what}: ${effect} was done ${times} times`);
    if (times > 1) totals.repeated++;
  }
}

/** A step that the journal says was done is never done again: how often it was done by then stays. */
function noteDone(bench: WorkflowBench, done: Map<string, number>, what: string): void {
  for (const [effect, times] of done)
    check(bench.times(effect) === times, `${what}: ${effect} was done again after it was journalled`);
  for (const { path, status } of bench.journal().steps) {
    const effect = effectOf(path);
    if (effect === undefined || status !== "completed" || done.has(effect)) continue;
    check(bench.times(effect) >= 1, `${what}: ${effect} is journalled and was not done`);
    done.set(effect, bench.times(effect));
  }
}

export const workflows: Soak = {
  name: "workflows",
  description: "a durable workflow that is killed at every write to its journal, and goes on",
  run,
};
