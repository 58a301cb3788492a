import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InferenceClient } from "../src/models/llamacpp/client.ts";
import type { ModelSpec } from "../src/models/llamacpp/protocol.ts";
import { computeThreads } from "../src/models/llamacpp/threads.ts";
import { generateBert } from "../test/support/bert.ts";
import { interleave, median, Scratch } from "./measure.ts";
import { llamaProgram, outputOf } from "./peer/llama-cpp.ts";
import { PEER_DIR } from "./peers.ts";
import { type Row, row, Unavailable } from "./row.ts";

/** The shape of the small models that most people embed with: 33 M parameters. */
const SHAPE = {
  type: "F16",
  seed: 31,
  width: 384,
  layers: 12,
  heads: 12,
  feedForward: 1536,
  contextTokens: 512,
  tokenTypes: 2,
  pooling: "mean",
} as const;
const TEXTS = 128;
const ROUNDS = 5;
const WORDS = "the quick brown fox jumps over a lazy dog while many other animals look on in wonder".split(
  " ",
);

/** 10 to 159 words each. */
const texts = Array.from({ length: TEXTS }, (_, i) =>
  Array.from({ length: 10 + ((i * 37) % 150) }, (_, at) => WORDS[(i + at * 7) % WORDS.length]).join(" "),
);

/** The path of the model, written at the first call. */
async function model(): Promise<string> {
  const name = "bench-bert-33m-f16";
  const path = join(PEER_DIR, `${name}.gguf`);
  if (existsSync(path)) return path;
  const partial = join(PEER_DIR, `${name}.partial`);
  await mkdir(partial, { recursive: true });
  await rename(generateBert(partial, name, SHAPE), path);
  await rm(partial, { recursive: true });
  return path;
}

interface Sample {
  /** Texts a second. */
  speed: number;
  first: number[];
}

/** Whole runs of llama-embedding; what it takes to start and load, a run with one text, is taken off. */
async function peerSample(command: readonly string[], scratch: Scratch): Promise<Sample> {
  const time = async (count: number) => {
    const file = await scratch.file(`${count}.txt`, texts.slice(0, count).join("\n"));
    const startedMs = performance.now();
    const out = await outputOf([...command, "-f", file]);
    return { ms: performance.now() - startedMs, out };
  };
  const one = await time(1);
  const all = await time(TEXTS);
  const first = all.out.trim().split("\n")[0]!.trim().split(/\s+/).map(Number);
  return { speed: ((TEXTS - 1) * 1000) / (all.ms - one.ms), first };
}

async function ourSample(client: InferenceClient, spec: ModelSpec): Promise<Sample> {
  const startedMs = performance.now();
  const { vectors, dimensions } = await client.embed(spec, { texts, normalize: true });
  return {
    speed: (TEXTS * 1000) / (performance.now() - startedMs),
    first: [...vectors.subarray(0, dimensions)],
  };
}

/** Vectors of many texts by a BERT model, beside llama.cpp's own program with the same threads and libraries. */
export async function embeddings(): Promise<Row[]> {
  const threads = Math.min(computeThreads(), availableParallelism());
  const path = await model();
  const peer = await llamaProgram("llama-embedding");
  const client = new InferenceClient();
  using scratch = new Scratch();
  try {
    const spec: ModelSpec = {
      path,
      contextTokens: 0,
      threads,
      gpuLayers: 0,
      batchTokens: 2048,
      ubatchTokens: 512,
      flashAttention: "auto",
    };
    const sides: Record<string, () => Promise<Sample>> = { ours: () => ourSample(client, spec) };
    if (!(peer instanceof Unavailable)) {
      const command = [peer, "-m", path, "-t", String(threads), "--no-warmup"];
      sides.peer = () => peerSample([...command, "--embd-output-format", "raw"], scratch);
    }
    const samples = await interleave(ROUNDS, sides);
    if (samples.peer !== undefined) refuseDifference(samples.ours![0]!.first, samples.peer[0]!.first);
    const middle = (side: string) => median(samples[side]!.map(({ speed }) => speed));
    return [
      row({
        name: `embeddings: ${TEXTS} texts, 33 M F16, ${threads} threads`,
        unit: "texts/s",
        ours: middle("ours"),
        peer: { name: "llama-embedding", figure: peer instanceof Unavailable ? peer : middle("peer") },
        target: { of: "ratio", at: "least", value: 0.95 },
      }),
    ];
  } finally {
    await client.dispose();
  }
}

function refuseDifference(ours: readonly number[], theirs: readonly number[]): void {
  const most = Math.max(...ours.map((x, i) => Math.abs(x - theirs[i]!)));
  if (ours.length !== theirs.length || !(most < 1e-3))
    throw new Error(`the two sides give different vectors: ${most} apart`);
}
