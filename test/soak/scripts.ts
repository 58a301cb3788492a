/** Garbage and hostile scripts under low limits: no crash, no hang beyond the limit, always a documented exit code. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Sandbox } from "../support/cli.ts";
import { uniform } from "../support/random.ts";
import { hostile } from "./hostile.ts";
import {
  between,
  check,
  checkSound,
  type Ended,
  ended,
  type Figures,
  filesBelow,
  pick,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

type Random = () => number;

const TIME_LIMIT_S = 1;
/** The limit, the grace after it and a loaded machine. */
const GUARD_MS = 20_000;

const CONFIG = `
[engines.lua]
stdlib = "All"
max_memory_bytes = 20000000
[runtime]
script_timeout_seconds = ${TIME_LIMIT_S}
`;

const EXAMPLES = readdirSync("examples")
  .filter((name) => name.endsWith(".lua"))
  .map((name) => readFileSync(join("examples", name)));

const TOKENS = [
  ..."and break do else elseif end false for function goto if in local nil not or repeat return then true until while".split(
    " ",
  ),
  ..."+ - * / % ^ # & ~ | << >> // == ~= <= >= < > = ( ) { } [ ] :: ; : , . .. ...".split(" "),
  "x",
  "print",
  "pcall",
  "error",
  "string",
  "1e309",
  "0x7fffffffffffffff",
  '"\\u{7fffffff}"',
  "[==[",
  "]==]",
  "<const>",
  "<close>",
  "--[[",
  "\n",
  "Tool",
  "Agent",
  "setmetatable",
];

const makers: Record<string, (random: Random) => string | Uint8Array> = {
  bytes: (random) => Uint8Array.from({ length: between(random, 0, 400) }, () => between(random, 0, 256)),
  tokens: (random) => Array.from({ length: between(random, 1, 120) }, () => pick(random, TOKENS)).join(" "),
  "mutated example": (random) => mutated(pick(random, EXAMPLES), random),
  "mutated bytecode": (random) =>
    Buffer.concat([Buffer.from("\x1bLua"), mutated(pick(random, EXAMPLES), random)]),
  nesting: (random) => {
    const depth = pick(random, [50, 190, 210, 1000, 100_000]);
    const [open, middle, close] = pick(random, [
      ["(", "1", ")"],
      ["{", "", "}"],
      ["function() return ", "1", " end"],
      ["-", "1", ""],
      ["not ", "1", ""],
      ["x[", "1", "]"],
      ["f(", "1", ")"],
    ] as const);
    return `local x, f = {}, print\nreturn ${open.repeat(depth)}${middle}${close.repeat(depth)}`;
  },
  blocks: (random) => {
    const depth = pick(random, [50, 150, 190, 210, 5000]);
    const open = pick(random, ["do ", "while true do ", "if true then ", "for i = 1, 1 do "]);
    return `${open.repeat(depth)} break ${"end ".repeat(depth)}`;
  },
  hostile: (random) => hostile(random),
};

function mutated(original: Uint8Array, random: Random): Buffer {
  const copy = Buffer.from(original);
  for (let n = between(random, 1, 6); n > 0; n--) {
    const at = between(random, 0, copy.length);
    if (random() < 0.5) copy[at] = between(random, 0, 256);
    else copy.write(pick(random, TOKENS), at, "utf8");
  }
  return copy;
}

/** 0 and 1, or what the script itself gave `os.exit`. */
const CODES = new Set([0, 1, 7]);

function judge(end: Ended, source: string | Uint8Array, what: string): void {
  checkSound(end, what);
  check(end.signal === null, `${what}: ended by ${end.signal}`, end);
  check(CODES.has(end.code), `${what}: exit code ${end.code}`, end.stderr.slice(-2000));
  const saysNothing = Buffer.from(source).includes("os.exit(false");
  if (end.code === 1 && !saysNothing)
    check(/^Error: /m.test(end.stderr), `${what}: no message`, end.stderr.slice(-2000));
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 1500 : 60;
  const names = Object.keys(makers);
  const counts = { done: 0, failed: 0, limited: 0 };
  using box = new Sandbox();
  box.write("soak.toml", CONFIG);
  for (let i = 0; i < rounds; i++) {
    const name = pick(random, [...names, "hostile", "hostile", "hostile"]);
    const source = makers[name]!(random);
    const path = box.write("script.lua", source);
    const what = `script ${i} of seed ${seed} (${name})`;
    const end = await ended(
      box.start(["-c", "soak.toml", "run", path]),
      GUARD_MS,
      `${what}\n${shown(source)}`,
    );
    judge(end, source, `${what}\n${shown(source)}`);
    if (end.code === 0) counts.done++;
    else if (/may run at most|memory|timeout/.test(end.stderr)) counts.limited++;
    else counts.failed++;
  }
  check(filesBelow(box.tmp).length === 0, "Files are left in the temporary directory", filesBelow(box.tmp));
  return {
    scripts: rounds,
    "ran to their end": counts.done,
    "ended by an error": counts.failed,
    "ended by a limit": counts.limited,
  };
}

function shown(source: string | Uint8Array): string {
  return Buffer.from(source).toString("latin1").slice(0, 1500);
}

export const scripts: Soak = {
  name: "scripts",
  description: "garbage and hostile scripts under low limits",
  run,
};
