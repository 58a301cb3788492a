/** Signals at random moments of varied work: the right exit code, nothing left behind, and the next run works. */
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { SPELL_MINI } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  checkSound,
  type Ended,
  ended,
  type Figures,
  filesBelow,
  pick,
  processesLeftWith,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

interface Work {
  name: string;
  script?: string;
  args?: readonly string[];
  /** Never ends by itself. */
  endless?: boolean;
  /** Starts with nothing extracted. */
  fresh?: boolean;
  /** Standard input stays open with nothing in it. */
  waitsForInput?: boolean;
  /** The signal comes at most so long after the start. */
  withinMs: number;
}

const AGENT = 'local agent = Agent.builder():model("local/spell-mini"):allow_tool("calculator"):build()\n';

const ANSWER = `${AGENT}print(agent:execute("What is 12*7+3?").text)`;

const WORKS: readonly Work[] = [
  { name: "start-up", script: 'print("hello")', withinMs: 45 },
  { name: "help", args: ["--help"], withinMs: 30 },
  {
    name: "extraction",
    script: ANSWER,
    fresh: true,
    withinMs: 350,
  },
  {
    name: "model load and prompt",
    script: ANSWER,
    withinMs: 220,
  },
  {
    name: "generation",
    script: `while true do ${AGENT} agent:execute("What is 12*7+3?") end`,
    endless: true,
    withinMs: 700,
  },
  {
    name: "token callbacks",
    script: `while true do ${AGENT} agent:invokeStream("What is 12*7+3?", function() for i = 1, 1e5 do end end) end`,
    endless: true,
    withinMs: 700,
  },
  {
    name: "streamed tokens",
    script: `while true do ${AGENT} agent:execute("What is 12*7+3?") end`,
    args: ["run", "--stream", "script.lua"],
    endless: true,
    withinMs: 700,
  },
  { name: "a busy loop", script: "while true do end", endless: true, withinMs: 250 },
  { name: "a loop that catches", script: "while true do pcall(error, {}) end", endless: true, withinMs: 250 },
  {
    name: "a loop in a callback",
    script:
      'Tool.register({ name = "spin", description = "Spins", parameters = { type = "object" }, execute = function() while true do end end })\nTool.execute("spin", {})',
    endless: true,
    withinMs: 250,
  },
  {
    name: "tool calls",
    script:
      'while true do Tool.execute("hash-calculator", { operation = "hash", algorithm = "sha-256", input = ("x"):rep(100000) }) end',
    endless: true,
    withinMs: 400,
  },
  {
    name: "pending callbacks",
    script: `
Tool.register({ name = "echo", description = "Echoes", parameters = { type = "object" }, execute = function(p) return p end })
local calls = {}
for i = 1, 300 do calls[i] = { name = "echo", params = { i = i } } end
while true do Tool.batch(calls) end`,
    endless: true,
    withinMs: 500,
  },
  { name: "waiting for input", script: "io.read()", endless: true, waitsForInput: true, withinMs: 250 },
  { name: "printing", script: 'while true do print(("x"):rep(1000)) end', endless: true, withinMs: 250 },
  { name: "a child process", script: 'os.execute("sleep 60")', endless: true, withinMs: 250 },
  { name: "a read child process", script: 'io.popen("sleep 60"):read("a")', endless: true, withinMs: 250 },
  {
    name: "coroutines",
    script:
      "while true do local c = coroutine.wrap(function() while true do coroutine.yield() end end) for _ = 1, 100 do c() end end",
    endless: true,
    withinMs: 250,
  },
  {
    name: "a model import",
    args: ["model", "import", SPELL_MINI, "--force", "--name", "copy"],
    withinMs: 120,
  },
  {
    name: "a file being written",
    script: `
local path = os.getenv("TMPDIR") .. "/out.txt"
while true do Tool.execute("file-operations", { operation = "write", path = path, content = ("x"):rep(1000000) }) end`,
    endless: true,
    withinMs: 400,
  },
  {
    name: "a query on a thread of its own",
    script: `Tool.execute("json-processor", { operation = "query", query = "[range(1e9)] | length", input = "{}" })`,
    withinMs: 500,
  },
];

const GUARD_MS = 30_000;
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof CODES;

const CONFIG = `
[engines.lua]
stdlib = "All"
[runtime.security]
allow_file_access = true
allow_process_spawn = true
`;
/** Without the warning of these permissions. */
const ENVIRONMENT = { LLMSPELL_CONFIG: "soak.toml", LLMSPELL_LOG: "error" };

class Round {
  readonly what: string;
  private readonly mark = `SOAK_ROUND=${crypto.randomUUID()}`;

  constructor(
    private readonly box: Sandbox,
    private readonly work: Work,
    private readonly signal: Signal,
    private readonly delayMs: number,
  ) {
    this.what = `${work.name}, ${signal} after ${delayMs} ms`;
  }

  async run(): Promise<Ended> {
    const { work, box } = this;
    box.write("soak.toml", CONFIG);
    if (work.script !== undefined) box.write("script.lua", work.script);
    const [name, value] = this.mark.split("=") as [string, string];
    const proc = box.start(work.args ?? ["run", "script.lua"], {
      env: { ...ENVIRONMENT, [name]: value },
      ...(work.waitsForInput ? { stdin: "open" } : {}),
    });
    const timer = setTimeout(() => proc.kill(this.signal), this.delayMs);
    const end = await ended(proc, GUARD_MS, this.what);
    clearTimeout(timer);
    await this.judge(end);
    return end;
  }

  private async judge(end: Ended): Promise<void> {
    const { what, work, box } = this;
    checkSound(end, what);
    const expected = work.endless ? [CODES[this.signal]] : [0, CODES[this.signal]];
    check(
      expected.includes(end.code),
      `${what}: exit code ${end.code}`,
      end.stderr || end.stdout.slice(-500),
    );
    check(
      end.stderr === "" || /interrupt/i.test(end.stderr),
      `${what}: a message that does not say what happened`,
      end.stderr,
    );
    const left = filesBelow(box.tmp).filter((path) => path !== "out.txt");
    check(left.length === 0, `${what}: left in the temporary directory`, left);
    const partial = [join(box.home, ".cache"), join(box.home, ".llmspell")]
      .flatMap(filesBelow)
      .filter((path) => /partial-|\.import-|\.tmp/.test(path));
    check(partial.length === 0, `${what}: left half-written`, partial);
    const processes = await processesLeftWith(this.mark);
    check(processes.length === 0, `${what}: processes left`, processes);
  }
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 400 : WORKS.length + 5;
  const counts = { interrupted: 0, done: 0 };
  using shared = new Sandbox();
  for (let i = 0; i < rounds; i++) {
    const work = i < WORKS.length ? WORKS[i]! : pick(random, WORKS);
    const signal = pick(random, ["SIGINT", "SIGTERM"] as const);
    const delayMs = between(random, 0, work.withinMs);
    using fresh = work.fresh ? new Sandbox() : undefined;
    const box = fresh ?? shared;
    const round = new Round(box, work, signal, delayMs);
    const end = await round.run();
    if (end.code === 0) counts.done++;
    else counts.interrupted++;
    await checkNextRun(box, work.fresh === true || i % 10 === 0, round.what);
  }
  return { rounds, interrupted: counts.interrupted, "done before the signal": counts.done };
}

async function checkNextRun(box: Sandbox, withModel: boolean, what: string): Promise<void> {
  box.write("next.lua", withModel ? ANSWER : "print(6 * 7)");
  const end = await ended(box.start(["run", "next.lua"]), GUARD_MS, `the run after ${what}`);
  const answer = withModel ? "87" : "42";
  check(end.code === 0 && end.stdout.includes(answer), `the run after ${what} fails`, end);
}

export const interrupt: Soak = {
  name: "interrupt",
  description: "SIGINT and SIGTERM at random moments",
  run,
};
