/** Damaged directories with safetensors: each is refused by name or becomes a GGUF file that can be worked with. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../../src/core/errors.ts";
import { convertDirectory } from "../../src/models/convert/convert.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { Sandbox } from "../support/cli.ts";
import { uniform } from "../support/random.ts";
import { writeT5Directory } from "../support/t5.ts";
import { giveVocabulary } from "../support/t5-vocabulary.ts";
import {
  between,
  check,
  checkSound,
  ended,
  type Figures,
  grownBy,
  pick,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

type Random = () => number;

/** A conversion of these small models takes some 10 ms, on a quiet disk. */
const GUARD_MS = 120_000;
const MOST_GROWTH_MIB = 64;
/** Of the accepted files, one in so many goes through the executable, which tries it on llama.cpp. */
const TRIED_EVERY = { short: 25, full: 20 };

/** What stands for a number or text of a JSON file. */
const ODD = [
  "0",
  "-1",
  "0.5",
  "1e308",
  "2147483648",
  "4294967295",
  "9007199254740993",
  "18446744073709551615",
  "null",
  "true",
  '""',
  '"x"',
  "[]",
  "{}",
  '{"a":1}',
];

/** JSON's numbers, strings and words. */
const VALUE = /-?\d+(\.\d+)?(e-?\d+)?|"[^"]*"|true|false|null/g;

function damageJson(text: string, random: Random): string {
  const values = [...text.matchAll(VALUE)];
  if (values.length === 0) return text; // an earlier damage left nothing of it
  const value = pick(random, values);
  return text.slice(0, value.index) + pick(random, ODD) + text.slice(value.index + value[0].length);
}

function damageBytes(bytes: Buffer, random: Random, end: number): Buffer {
  const copy = Buffer.from(bytes);
  const at = between(random, 0, Math.min(end, copy.length));
  switch (between(random, 0, 4)) {
    case 0:
      copy[at]! ^= 1 << between(random, 0, 8);
      return copy;
    case 1:
      copy[at] = pick(random, [0, 1, 0x22, 0x2c, 0x5d, 0x7f, 0x80, 0xff]);
      return copy;
    case 2:
      return copy.subarray(0, at);
    default: {
      const from = between(random, 0, Math.min(end, copy.length));
      copy.copyWithin(at, from, from + between(random, 1, 64));
      return copy;
    }
  }
}

/** A header may take another value without the length in front of it being wrong. */
function damageSafetensors(bytes: Buffer, random: Random): Buffer {
  if (bytes.length <= 8) return bytes; // an earlier damage left nothing of it
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  if (random() < 0.5) return damageBytes(bytes, random, 8 + headerBytes);
  const header = Buffer.from(damageJson(bytes.toString("utf8", 8, 8 + headerBytes), random));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, bytes.subarray(8 + headerBytes)]);
}

function damage(directory: string, random: Random): string {
  const names = readdirSync(directory);
  const name = pick(random, names);
  const path = join(directory, name);
  const bytes = readFileSync(path);
  if (random() < 0.02) rmSync(path);
  else if (name.endsWith(".safetensors")) writeFileSync(path, damageSafetensors(bytes, random));
  else if (name.endsWith(".json") && random() < 0.7)
    writeFileSync(path, damageJson(bytes.toString(), random));
  else writeFileSync(path, damageBytes(bytes, random, bytes.length));
  return name;
}

async function run({ seed, full }: SoakOptions): Promise<Figures> {
  const random = uniform(seed);
  const rounds = full ? 20_000 : 300;
  using box = new Sandbox();
  const originals = (["tokenizer.json", "spiece.model"] as const).flatMap((kind) =>
    ["t5-f32", "flan-t5-f32"].map((name) => {
      const directory = writeT5Directory(join(box.cwd, "originals", kind), name);
      giveVocabulary(directory, kind);
      return directory;
    }),
  );
  const counts = { refused: 0, converted: 0, tried: 0, working: 0 };
  const rssMiB: number[] = [];
  let slowestMs = 0;
  for (let i = 0; i < rounds; i++) {
    const directory = join(box.cwd, "damaged");
    const target = join(box.cwd, "converted/model.gguf");
    cpSync(pick(random, originals), directory, { recursive: true });
    box.write("converted/.keep", "");
    const damages = Array.from({ length: random() < 0.7 ? 1 : 2 }, () => damage(directory, random));
    const what = `mutation ${i} of seed ${seed} (${damages.join(", ")})`;
    const startedMs = performance.now();
    const isConverted = await attempt(directory, target, what);
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    check(slowestMs < GUARD_MS, `${what}: it took ${slowestMs} ms`);
    if (isConverted && counts.converted++ % TRIED_EVERY[full ? "full" : "short"] === 0) {
      counts.tried++;
      counts.working += Number(await tryFile(box, target, what));
    }
    if (!isConverted) counts.refused++;
    rmSync(directory, { recursive: true, force: true });
    rmSync(join(box.cwd, "converted"), { recursive: true, force: true });
    rssMiB.push(process.memoryUsage.rss() / 2 ** 20);
  }
  const settled = rssMiB.slice(rounds / 4);
  check(grownBy(settled) < MOST_GROWTH_MIB, "Memory grows", { grownMiB: grownBy(settled) });
  check(counts.working > 0, "No converted file works, not even those damaged where it does not matter");
  return {
    mutations: rounds,
    refused: counts.refused,
    converted: counts.converted,
    "of these imported by the executable": counts.tried,
    "of these taken by llama.cpp": counts.working,
    "slowest (ms)": Math.round(slowestMs),
    "memory grown (MiB)": Math.round(grownBy(settled)),
  };
}

/** True where it was converted, to a file that the header reader takes. */
async function attempt(directory: string, target: string, what: string): Promise<boolean> {
  try {
    await convertDirectory(directory, target);
  } catch (error) {
    check(error instanceof SpellError, `${what}: the conversion failed`, (error as Error).stack);
    check(
      ["model_invalid", "not_found", "io"].includes(error.code) && error.message.includes(directory),
      `${what}: a wrong refusal`,
      error.message,
    );
    const left = readdirSync(join(target, ".."));
    check(left.length === 1, `${what}: it left something behind`, left);
    return false;
  }
  readGguf(target);
  return true;
}

/** True where the executable took the file into its store, after having tried it. */
async function tryFile(box: Sandbox, path: string, what: string): Promise<boolean> {
  const end = await ended(
    box.start(["model", "import", path, "--name", "converted", "--force"]),
    GUARD_MS,
    what,
  );
  checkSound(end, what);
  check(end.code === 0 || (end.code === 1 && end.stderr.includes(path)), `${what}: import`, end);
  return end.code === 0;
}

export const publishedModels: Soak = {
  name: "published-models",
  description: "damaged directories with safetensors",
  run,
};
