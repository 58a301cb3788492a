/** Damaged GGUF files: each is refused by name or can be worked with; none crashes or hangs the program. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../../src/core/errors.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { Sandbox } from "../support/cli.ts";
import { generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import {
  between,
  check,
  checkSound,
  ended,
  type Figures,
  filesBelow,
  pick,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

type Random = () => number;

const GUARD_MS = 180_000;
/** Files that one process tries one after the other. */
const BATCH = 40;

/** Numbers that break careless arithmetic. */
const ODD = [
  0n,
  1n,
  2n,
  7n,
  255n,
  1n << 16n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 40n,
  1n << 62n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** Where keys of metadata and names of tensors lie in a header: what follows them is a type, a count or a length. */
function landmarks(bytes: Buffer, headerBytes: number): number[] {
  const text = bytes.toString("latin1", 0, headerBytes);
  return [...text.matchAll(/(general|tokenizer|llama|qwen2|gemma|phi3|blk|token_embd|output)[\w.]*/g)].map(
    (found) => found.index + found[0].length,
  );
}

class Original {
  readonly bytes: Buffer;
  private readonly headerBytes: number;
  private readonly marks: readonly number[];

  constructor(path: string) {
    this.bytes = readFileSync(path);
    this.headerBytes = this.bytes.indexOf("output_norm.weight") + 4096;
    this.marks = landmarks(this.bytes, this.headerBytes);
  }

  /** One to three damages, mostly one, where the structure is. */
  damaged(random: Random): Buffer {
    const copy = Buffer.from(this.bytes);
    for (let n = random() < 0.7 ? 1 : between(random, 2, 4); n > 0; n--) this.damage(copy, random);
    return random() < 0.1 ? copy.subarray(0, between(random, 0, copy.length)) : copy;
  }

  private damage(copy: Buffer, random: Random): void {
    const mark = pick(random, this.marks);
    const near = mark + between(random, 0, 28);
    switch (between(random, 0, 7)) {
      case 0:
        copy[between(random, 0, this.headerBytes)] = between(random, 0, 256);
        break;
      case 1:
        copy[between(random, 0, 24)]! ^= 1 << between(random, 0, 8);
        break;
      case 2:
        copy.writeUInt32LE(between(random, 0, 14), mark); // another type
        break;
      case 3:
        copy.writeBigUInt64LE(pick(random, ODD), near);
        break;
      case 4:
        copy.writeUInt32LE(Number(pick(random, ODD) & 0xffffffffn), near);
        break;
      case 5:
        copy[near]! ^= 1 << between(random, 0, 8);
        break;
      default: {
        const from = between(random, 0, this.headerBytes - 64);
        copy.copyWithin(between(random, 24, this.headerBytes - 64), from, from + between(random, 1, 64));
      }
    }
  }
}

/** Tries every model of the store and tells what came of each, a line at once, so that a crash names its file. */
const TRY = `
for i = tonumber(arg[1]), tonumber(arg[2]) do
  local id = "m" .. i
  io.write(id, " ")
  local ok, result = pcall(function()
    return Agent.builder():name(id):model("local/" .. id .. ":x"):max_tokens(4):build():execute("What is 2+2?").text
  end)
  print(ok and "ok" or "refused", (tostring(result):gsub("%s+", " ")))
end`;

/** Puts accepted files where models are stored, without asking the header reader again. */
class Batch {
  private readonly box = new Sandbox();
  private count = 0;
  readonly outcomes = { worked: 0, refused: 0 };

  constructor() {
    this.box.write("try.lua", TRY);
  }

  async add(bytes: Uint8Array, what: string): Promise<void> {
    const directory = join(this.models, `m${this.count++}`, "x");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "model.gguf"), bytes);
    writeFileSync(join(directory, "round"), what);
    if (this.count === BATCH) await this.flush();
  }

  private get models(): string {
    return join(this.box.home, ".llmspell/models/llamacpp");
  }

  async flush(): Promise<void> {
    if (this.count === 0) return;
    const what = `models ${readFileSync(join(this.models, "m0/x/round"))} and following`;
    const proc = this.box.start(["run", "try.lua", "--", "0", String(this.count - 1)]);
    const end = await ended(proc, GUARD_MS, what);
    const lines = end.stdout.split("\n");
    const last = lines.at(-1)!.split(" ")[0];
    const culprit = last === "" ? "" : this.keep(last!);
    checkSound(end, `${what}: ${culprit}`);
    check(end.code === 0, `${what}: ${culprit}`, end);
    for (const line of lines.filter((text) => text !== "")) this.judge(line);
    rmSync(this.models, { recursive: true, force: true });
    this.count = 0;
  }

  private judge(line: string): void {
    const [, id, outcome, text] = /^(m\d+) (ok|refused)\t?(.*)$/s.exec(line) ?? [];
    check(id !== undefined, "a line that says nothing", line);
    if (outcome === "ok") {
      this.outcomes.worked++;
      return;
    }
    this.outcomes.refused++;
    check(
      text!.includes(`${id}:x`) || text!.includes(`${id}/x`),
      "a message that does not name the file",
      line,
    );
  }

  /** Keeps the file that ended the process, and tells where. */
  private keep(id: string): string {
    const kept = join(this.box.root, "..", `llmspell-soak-${id}.gguf`);
    writeFileSync(kept, readFileSync(join(this.models, id, "x/model.gguf")));
    return `${readFileSync(join(this.models, id, "x/round"))}, kept as ${kept}`;
  }

  [Symbol.dispose](): void {
    this.box[Symbol.dispose]();
  }
}

/** Why the header reader refuses a file, or undefined. Anything but an error of ours with the path is a failure. */
function refusal(path: string, what: string): SpellError | undefined {
  try {
    readGguf(path);
    return undefined;
  } catch (error) {
    check(error instanceof SpellError, `${what}: the header reader failed`, (error as Error).stack);
    check(
      ["model_invalid", "io"].includes(error.code) && error.message.includes(path),
      `${what}: a wrong refusal`,
      error.message,
    );
    return error;
  }
}

/** The import command refuses what the header reader refuses, and the store stays as it was. */
async function checkImport(box: Sandbox, path: string, what: string): Promise<void> {
  const end = await ended(box.start(["model", "import", path, "--name", "bad"]), GUARD_MS, what);
  checkSound(end, what);
  check(end.code === 1 && end.stderr.includes(path), `${what}: import`, end);
  const stored = filesBelow(join(box.home, ".llmspell/models/llamacpp"));
  check(stored.length === 0, `${what}: the store has changed`, stored);
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 4000 : 200;
  using box = new Sandbox();
  using batch = new Batch();
  const originals = [
    SPELL_MINI,
    ...["llama-f32", "qwen2-f16", "gemma-q8_0", "phi3-q8_0"].map((name) => generateModel(box.cwd, name)),
  ].map((path) => new Original(path));
  const counts = { refused: 0, accepted: 0, imported: 0 };
  const path = join(box.cwd, "damaged.gguf");
  for (let i = 0; i < rounds; i++) {
    const bytes = pick(random, originals).damaged(random);
    writeFileSync(path, bytes);
    const what = `mutation ${i} of seed ${seed}`;
    if (refusal(path, what) === undefined) {
      counts.accepted++;
      await batch.add(bytes, what);
      continue;
    }
    if (counts.refused++ % 40 === 0) {
      await checkImport(box, path, what);
      counts.imported++;
    }
  }
  await batch.flush();
  check(batch.outcomes.worked > 0, "No accepted file works, not even those damaged where it does not matter");
  return {
    mutations: rounds,
    "refused by the header reader": counts.refused,
    "of these imported by the executable": counts.imported,
    "accepted and run by the executable": counts.accepted,
    "of these refused by llama.cpp": batch.outcomes.refused,
    "of these answering": batch.outcomes.worked,
  };
}

export const modelFiles: Soak = {
  name: "model-files",
  description: "damaged GGUF files",
  run,
};
