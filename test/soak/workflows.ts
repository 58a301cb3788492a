/**
 * A durable workflow of 30 steps that is killed at every write to the database and to the files of its effects, and again
 * while it goes on. Each step appends a line to a file of its own or computes. Afterwards: what the journal said was done was done exactly once; a step
 * that is not repeatable was done at most once and is reported where nobody knows; the result is that of a run that was
 * never killed.
 */
import { Database } from "bun:sqlite";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  checkSound,
  type Ended,
  ended,
  type Figures,
  type Soak,
  type SoakOptions,
} from "./soak.ts";
import { buildFaultyFiles, noFaultsHere } from "./storage/faulty-files.ts";
import { checkDatabase } from "./storage/kill.ts";

const GUARD_MS = 120_000;

const CONFIG = `[tools.file_operations]
allowed_paths = ["."]
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
text = "heard {{prompt}}"
`;

const SCRIPT = `
local function append(name, more)
  local step = {name = name, type = "tool", tool = "file-operations",
    input = {operation = "append", path = (more and more.file or name) .. ".log", input = "done\\n"}}
  if more then step.repeatable = more.repeatable end
  return step
end
local function sum(name, input) return {name = name, type = "tool", tool = "calculator", input = {input = input}} end
local function ask(name, input) return {name = name, type = "agent", agent = "ada", input = input} end
Agent.create{name = "ada", model = "ci/scripted"}

local fan = {}
for i = 1, 4 do fan[i] = {name = "b" .. i, steps = {append("fan" .. i), sum("sum" .. i, "{{input.base}} * " .. i)}} end
local deep = Workflow.builder():name("deep"):sequential()
  :add_step(ask("say", "{{input.word}}")):add_step(append("deep-append"))
  :add_step{name = "shout", type = "tool", tool = "text-manipulator", input = {operation = "uppercase", input = "{{say}}"}}:build()
local outer = Workflow.builder():name("outer"):sequential()
  :add_step{name = "inside", type = "workflow", workflow = deep, input = {word = "deep {{input.word}}"}}:build()

local flow = Workflow.builder():name("soak"):sequential()
  :add_step(append("begin"))
  :add_step(sum("sum", "2 + 3"))
  :add_step(ask("first", "sum {{sum}}"))
  :add_step{name = "fan", type = "workflow", input = {base = "{{sum}}"},
    workflow = Workflow.parallel{name = "fan", max_concurrency = 2, branches = fan}}
  :add_step{name = "choose", type = "workflow", workflow = Workflow.conditional{name = "choose",
    steps = {sum("check", "7")}, branches = {{name = "seven", condition = "step.check.output == 7",
      steps = {append("chosen"), sum("chosen-sum", "{{check}} + 1")}}},
    default_branch = {steps = {append("never")}}}}
  :add_step{name = "loop", type = "workflow", workflow = Workflow.loop{name = "loop", iterator = {collection = {"p", "q", "r", "s"}},
    body = {append("pass", {file = "pass{{loop_index}}", repeatable = true}), sum("square", "{{loop_index}} * {{loop_index}}")}}}
  :add_step{name = "nested", type = "workflow", workflow = outer, input = {word = "w"}}
  :add_step(append("tail1")):add_step(append("tail2", {repeatable = true})):add_step(append("tail3"))
  :add_step(ask("last", "loop {{step.loop.output}}"))
  :add_step{name = "all", type = "tool", tool = "template-creator",
    input = {template = "{{first}}; {{fan}}; {{choose}}; {{loop}}; {{nested}}; {{last}}"}}
  :build()
local result = flow:execute({}, {run_id = "soak"})
print(result.output)
`;

/** Files with one line for each time their step was done, and whether it may be done twice. */
const EFFECTS: Readonly<Record<string, boolean>> = {
  begin: false,
  fan1: false,
  fan2: false,
  fan3: false,
  fan4: false,
  chosen: false,
  pass0: true,
  pass1: true,
  pass2: true,
  pass3: true,
  "deep-append": false,
  tail1: false,
  tail2: true,
  tail3: false,
};
const LEAVES = 30;

/** The effect of a step by its path in the journal. */
function effectOf(path: string): string | undefined {
  const [, pass] = /pass:(\d+)\/pass$/.exec(path) ?? [];
  const name = pass === undefined ? path.slice(path.lastIndexOf("/") + 1) : `pass${pass}`;
  return Object.hasOwn(EFFECTS, name) ? name : undefined;
}

interface Journalled {
  path: string;
  kind: string;
  status: string;
}

/** Which files' changes are counted. */
const PLACES = { database: "/llmspell.db", effects: ".log" } as const;

/** The call that changes such a file at which the program is killed, counted from 1; 0: it only counts. */
interface Kill {
  place: keyof typeof PLACES;
  at: number;
  /** Half of a write is done first. */
  half: boolean;
}

class WorkflowBench {
  readonly box = new Sandbox();
  private readonly library = buildFaultyFiles(this.box.root);

  constructor() {
    this.box.write("soak.toml", CONFIG);
    this.box.write("flow.lua", SCRIPT);
  }

  /** @param kill at which call that changes the database; 0: it only counts */
  async run(args: string[], what: string, kill?: Kill): Promise<Ended & { calls: number }> {
    const count = join(this.box.root, "calls");
    rmSync(count, { force: true });
    const env: Record<string, string> =
      kill === undefined
        ? {}
        : {
            LD_PRELOAD: this.library,
            FAULT_PATH: PLACES[kill.place],
            FAULT_COUNT: count,
            FAULT_AT: String(kill.at),
            FAULT_KILL: "1",
            ...(kill.half ? { FAULT_SHORT: "1" } : {}),
          };
    const end = await ended(this.box.start(["-c", "soak.toml", ...args], { env }), GUARD_MS, what);
    const calls = await Bun.file(count)
      .text()
      .catch(() => "0");
    return { ...end, calls: Number(calls) };
  }

  fresh(): void {
    rmSync(join(this.box.home, ".llmspell"), { recursive: true, force: true });
    for (const name of Object.keys(EFFECTS)) rmSync(join(this.box.cwd, `${name}.log`), { force: true });
  }

  /** How often the step of this effect was done. */
  times(effect: string): number {
    try {
      return readFileSync(join(this.box.cwd, `${effect}.log`), "utf8").split("\n").length - 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
      throw error;
    }
  }

  /** As SQLite itself reads it. */
  journal(): { status: string; steps: Journalled[] } {
    try {
      using db = new Database(join(this.box.home, ".llmspell/llmspell.db"), {
        readwrite: true,
        create: false,
      });
      const status = db.query("SELECT status FROM workflow_run WHERE id = 'soak'").get() as {
        status: string;
      } | null;
      const steps = db
        .query("SELECT path, kind, status FROM workflow_step ORDER BY place")
        .all() as Journalled[];
      return { status: status?.status ?? "none", steps };
    } catch (error) {
      // killed before there was one
      if (/no such table|unable to open/.test(String(error))) return { status: "none", steps: [] };
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.box[Symbol.dispose]();
  }
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const reason = noFaultsHere();
  if (reason !== undefined) {
    console.error(`workflows: skipped: ${reason}`);
    return { skipped: reason };
  }
  const random = uniform(seed);
  using bench = new WorkflowBench();
  const totals = { kills: 0, reported: 0, repeated: 0, restored: 0 };
  const writes = { database: 0, effects: 0 };
  for (const place of ["database", "effects"] as const) {
    bench.fresh();
    const whole = await bench.run(["run", "flow.lua"], "the whole run", { place, at: 0, half: false });
    check(whole.code === 0, "the run that is not killed fails", whole);
    const leaves = bench.journal().steps.filter(({ kind }) => kind === "tool" || kind === "agent");
    check(leaves.length === LEAVES, `it has ${leaves.length} steps and not ${LEAVES}`, leaves);
    writes[place] = whole.calls;
    for (let at = 1; at <= whole.calls; at++) {
      if (!full && random() > 5 / whole.calls) continue;
      bench.fresh();
      const kill: Kill = { place, at, half: random() < 0.3 };
      const what = `killed at call ${at} of ${whole.calls} (${place})${kill.half ? ", half of it written" : ""}`;
      const first = await bench.run(["run", "flow.lua"], what, kill);
      check(first.signal === "SIGKILL", `${what}: it ended by itself`, first);
      totals.kills++;
      await goOn(bench, whole.stdout, writes.database, what, random, totals);
      checkDatabase(bench.box, what);
    }
  }
  return {
    steps: LEAVES,
    "writes to the database": writes.database,
    "to effects": writes.effects,
    ...totals,
    lost: 0,
    "done twice though journalled or not repeatable": 0,
    "wrong results": 0,
  };
}

/** Until it has ended, killed again now and then. */
async function goOn(
  bench: WorkflowBench,
  expected: string,
  calls: number,
  what: string,
  random: () => number,
  totals: { kills: number; reported: number; repeated: number; restored: number },
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
    const { args, isDecided } = nextCommand(bench);
    const end = await bench.run(args, `${what}, start ${start}`, kill);
    if (end.signal === "SIGKILL") {
      totals.kills++;
      continue;
    }
    checkSound(end, what);
    if (isDecided) totals.reported++;
    if (end.code === 0) {
      check(end.stdout === expected, `${what}: another result`, { got: end.stdout, expected });
      break;
    }
    check(
      /not repeatable: nobody knows whether (it was|they were) done/.test(end.stderr),
      `${what}: it fails for another reason`,
      end,
    );
    check(bench.journal().status === "interrupted", `${what}: it is not reported`, bench.journal());
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

/** A run that waits for a decision gets one by what can be seen of its step: done, or not. */
function nextCommand(bench: WorkflowBench): { args: string[]; isDecided: boolean } {
  const { status, steps } = bench.journal();
  if (status !== "interrupted") return { args: ["run", "flow.lua"], isDecided: false };
  const open = steps.filter(
    (step) =>
      step.status === "started" && step.kind === "tool" && EFFECTS[effectOf(step.path) ?? ""] === false,
  );
  const decisions = open.flatMap(({ path }) => [
    bench.times(effectOf(path)!) === 0 ? "--retry" : "--skip",
    path,
  ]);
  return { args: ["workflow", "resume", "soak", ...decisions], isDecided: true };
}

export const workflows: Soak = {
  name: "workflows",
  description: "a durable workflow that is killed at every write to its journal, and goes on",
  run,
};
