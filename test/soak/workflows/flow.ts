/** The workflow of the soak: its script, what each step leaves in a file of its own, and what each gives, worked out by hand. */

export const CONFIG = `[tools.file_operations]
allowed_paths = ["."]
[providers]
default_provider = "ci"
[providers.ci]
provider_type = "test"
default_model = "scripted"
[[providers.ci.responses]]
text = "heard {{prompt}}"
`;

/** Without state every write to the database is one of the journal, once its tables are there. */
export const JOURNAL_ONLY = `${CONFIG}[runtime.state_persistence]
enabled = false
`;

export const SCRIPT = `
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
  :add_step{name = "inside", type = "workflow", timeout_ms = 600000, workflow = deep, input = {word = "deep {{input.word}}"}}:build()

local flow = Workflow.builder():name("soak"):sequential()
  :add_step(append("begin"))
  :add_step(sum("sum", "2 + 3"))
  :add_step(ask("first", "sum {{sum}}"))
  :add_step{name = "fan", type = "workflow", timeout_ms = 600000, input = {base = "{{sum}}"},
    workflow = Workflow.parallel{name = "fan", max_concurrency = 2, branches = fan}}
  :add_step{name = "choose", type = "workflow", timeout_ms = 600000, workflow = Workflow.conditional{name = "choose",
    steps = {sum("check", "7")}, branches = {{name = "seven", condition = "step.check.output == 7",
      steps = {append("chosen"), sum("chosen-sum", "{{check}} + 1")}}},
    default_branch = {steps = {append("never")}}}}
  :add_step{name = "loop", type = "workflow", timeout_ms = 600000, workflow = Workflow.loop{name = "loop", iterator = {collection = {"p", "q", "r", "s"}},
    body = {append("pass", {file = "pass{{loop_index}}", repeatable = true}), sum("square", "{{loop_index}} * {{loop_index}}")}}}
  :add_step{name = "nested", type = "workflow", timeout_ms = 600000, workflow = outer, input = {word = "w"}}
  :add_step(append("tail1")):add_step(append("tail2", {repeatable = true})):add_step(append("tail3"))
  :add_step(ask("last", "loop {{step.loop.output}}"))
  :add_step{name = "all", type = "tool", tool = "template-creator",
    input = {template = "{{first}}; {{fan}}; {{choose}}; {{loop}}; {{nested}}; {{last}}"}}
  :build()
local result = flow:execute({}, {run_id = "soak"})
print(result.output)
`;

/** The same where no step that leaves something may be repeated. */
export const STRICT_SCRIPT = SCRIPT.replaceAll("repeatable = true", "repeatable = false");

/** Files with one line for each time their step was done, and whether it may be done twice in `SCRIPT`. */
export const EFFECTS: Readonly<Record<string, boolean>> = {
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

/** What the steps that compute or ask give, by their path in the journal. */
const GIVEN: Readonly<Record<string, unknown>> = {
  sum: 5,
  first: "heard sum 5",
  "fan/branch:b1/sum1": 5,
  "fan/branch:b2/sum2": 10,
  "fan/branch:b3/sum3": 15,
  "fan/branch:b4/sum4": 20,
  "choose/check": 7,
  "choose/branch:seven/chosen-sum": 8,
  "loop/pass:0/square": 0,
  "loop/pass:1/square": 1,
  "loop/pass:2/square": 4,
  "loop/pass:3/square": 9,
  "nested/inside/say": "heard deep w",
  "nested/inside/shout": "HEARD DEEP W",
  last: "heard loop [0,1,4,9]",
  all: 'heard sum 5; {"b1":5,"b2":10,"b3":15,"b4":20}; 8; [0,1,4,9]; HEARD DEEP W; heard loop [0,1,4,9]',
};

/** What the script prints. */
export const OUTPUT = `${GIVEN.all}\n`;

export const LEAVES = Object.keys(EFFECTS).length + Object.keys(GIVEN).length;

export interface Journalled {
  path: string;
  kind: string;
  status: string;
  is_repeatable: number;
  outcome: string | null;
}

/** The effect of a step by its path in the journal. */
export function effectOf(path: string): string | undefined {
  const [, pass] = /pass:(\d+)\/pass$/.exec(path) ?? [];
  const name = pass === undefined ? path.slice(path.lastIndexOf("/") + 1) : `pass${pass}`;
  return Object.hasOwn(EFFECTS, name) ? name : undefined;
}

/** Of a run that has ended: what is not as worked out by hand. */
export function wrongIn(steps: readonly Journalled[]): string[] {
  const leaves = steps.filter(({ kind }) => kind === "tool" || kind === "agent");
  const wrong = leaves.length === LEAVES ? [] : [`${leaves.length} steps and not ${LEAVES}`];
  for (const { path, status, outcome } of leaves) {
    const isEffect = effectOf(path) !== undefined;
    const given = outcome === null ? undefined : JSON.parse(outcome).value;
    // who decided that an effect had been done has passed over its step
    if (status !== "completed" && !(isEffect && status === "skipped")) wrong.push(`${path} is ${status}`);
    if (!isEffect && given !== GIVEN[path])
      wrong.push(`${path} gave ${JSON.stringify(given)} and not ${JSON.stringify(GIVEN[path])}`);
  }
  return wrong;
}
