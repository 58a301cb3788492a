/** Damaged GGUF files: each is refused by name or can be worked with; none crashes or hangs the program. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SpellError } from "../../src/core/errors.ts";
import { readGguf } from "../../src/models/llamacpp/gguf.ts";
import { generateBert } from "../support/bert.ts";
import { Sandbox } from "../support/cli.ts";
import { GENERATED_MODELS, generateModel, SPELL_MINI } from "../support/gguf-models.ts";
import { uniform } from "../support/random.ts";
import { generateT5 } from "../support/t5.ts";
import { Original, writeSparse } from "./damaged-model.ts";
import { ModelBatch } from "./model-batch.ts";
import {
  check,
  checkSound,
  ended,
  type Figures,
  filesBelow,
  pick,
  type Soak,
  type SoakOptions,
} from "./soak.ts";

const GUARD_MS = 180_000;
const INFO_BATCH = 50; // each look at a model lists the store
const LOAD_BATCH = 40;
/** Of the refused files, one in so many is given to the commands too. */
const COMMANDS_EVERY = 250;

/** Why the header reader refuses a file, or undefined. Anything but an error of ours with the path is a failure. */
function refusal(path: string, what: string): SpellError | undefined {
  try {
    readGguf(path);
    return undefined;
  } catch (error) {
    check(error instanceof SpellError, `${what}: the header reader failed`, (error as Error).stack);
    check(
      ["model_invalid", "io", "not_found"].includes(error.code) && error.message.includes(path),
      `${what}: a wrong refusal`,
      error.message,
    );
    return error;
  }
}

/** `model import` refuses what the header reader refuses, and the store stays as it was. */
async function checkImport(box: Sandbox, path: string, what: string): Promise<void> {
  const end = await ended(box.start(["model", "import", path, "--name", "bad"]), GUARD_MS, what);
  checkSound(end, what);
  check(end.code === 1 && end.stderr.includes(path), `${what}: import`, end);
  const stored = filesBelow(join(box.home, ".llmspell/models/llamacpp"));
  check(stored.length === 0, `${what}: the store has changed`, stored);
}

/** Headers through the executable's `LocalLLM.info`, the code of `model info`, each beside the reader in this process. */
async function runInfo(originals: readonly Original[], random: () => number, count: number, seed: number) {
  const counts = { refused: 0, imported: 0 };
  const expected: boolean[] = [];
  let judged = 0;
  using box = new Sandbox();
  using batch = new ModelBatch(
    "return LocalLLM.info(id .. ':x').size_bytes",
    INFO_BATCH,
    ({ isOk, text }) => {
      const isExpected = expected[judged++];
      check(
        isOk === isExpected,
        `mutation ${judged - 1} of seed ${seed}: the executable judges otherwise`,
        text,
      );
    },
  );
  const path = join(box.cwd, "damaged.gguf");
  for (let i = 0; i < count; i++) {
    const damaged = pick(random, originals).damaged(random);
    const what = `mutation ${i} of seed ${seed}`;
    writeSparse(path, damaged);
    const isRefused = refusal(path, what) !== undefined;
    expected.push(!isRefused);
    if (isRefused && counts.refused++ % COMMANDS_EVERY === 0) {
      await checkImport(box, path, what);
      counts.imported++;
    }
    await batch.add((target) => writeSparse(target, damaged), what);
  }
  await batch.flush();
  check(judged === count, `${judged} of ${count} files were judged`);
  return { ...counts, mostRssBytes: batch.mostRssBytes };
}

/** Files that the header reader accepts, loaded by the executable and asked a question. */
async function runLoad(originals: readonly Original[], random: () => number, count: number, seed: number) {
  const counts = { loaded: 0, answering: 0 };
  const use = `
    if LocalLLM.info(id .. ":x").architecture == "bert" then return #LocalLLM.embed("local/" .. id .. ":x", "Hello") end
    return Agent.builder():name(id):model("local/" .. id .. ":x"):max_tokens(4):build():execute("What is 2+2?").text`;
  using box = new Sandbox();
  using batch = new ModelBatch(use, LOAD_BATCH, ({ isOk }) => {
    if (isOk) counts.answering++;
  });
  const path = join(box.cwd, "damaged.gguf");
  for (let i = 0; counts.loaded < count; i++) {
    const original = pick(random, originals);
    const damaged = original.damaged(random);
    const what = `file ${i} of seed ${seed}`;
    writeSparse(path, damaged);
    if (refusal(path, what) !== undefined) continue;
    counts.loaded++;
    await batch.add((target) => writeFileSync(target, original.whole(damaged)), what);
  }
  await batch.flush();
  check(counts.answering > 0, "No accepted file works, not even those damaged where it does not matter");
  return { ...counts, mostRssBytes: batch.mostRssBytes };
}

/** Both at the same time: each waits for processes most of the time. */
async function run({ seed, full }: SoakOptions): Promise<Figures> {
  using box = new Sandbox();
  const originals = [
    SPELL_MINI,
    ...Object.keys(GENERATED_MODELS).map((name) => generateModel(box.cwd, name)),
    generateT5(box.cwd, "flan-t5-q8_0"),
    generateBert(box.cwd, "bert-cls-f16"),
  ].map((path) => new Original(path));
  const infos = full ? 100_000 : 300;
  const [info, load] = await Promise.all([
    runInfo(originals, uniform(seed), infos, seed),
    runLoad(originals, uniform(seed + 1), full ? 2000 : 24, seed),
  ]);
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
  return {
    "headers read by the executable, each as the reader here judges": infos,
    "of these refused": info.refused,
    "of these imported by the command": info.imported,
    "most memory (MiB)": mebibytes(info.mostRssBytes),
    "accepted files loaded by the executable": load.loaded,
    "of these answering": load.answering,
    "most memory there (MiB)": mebibytes(load.mostRssBytes),
  };
}

export const modelFiles: Soak = {
  name: "model-files",
  description: "damaged GGUF files",
  run,
};
