/**
 * What a grammar costs a token, over a vocabulary of 128,000 words: the time to choose a token with it less the time without,
 * from the same probabilities. The model is noise, so that nearly everything it wants is refused: the worst case.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { llamaLibraries } from "../src/ffi/library.ts";
import { Context } from "../src/ffi/llama/context.ts";
import { loadLlama } from "../src/ffi/llama/library.ts";
import { Model } from "../src/ffi/llama/model.ts";
import { Sampler, type SamplerOptions } from "../src/ffi/llama/sampler.ts";
import { schemaGrammar } from "../src/models/grammar/schema.ts";
import { copyEntries, float, stringsOf, text, uint, writeGguf } from "../test/support/gguf.ts";
import { releaseFile } from "../test/support/llama-sources.ts";
import { bell, uniform } from "../test/support/random.ts";
import { type Row, row } from "./row.ts";

const WIDTH = 64;
const ANSWERS = 8;
const ANSWER_TOKENS = 200;

const SCHEMA = {
  type: "object",
  properties: {
    title: { type: "string", maxLength: 80 },
    kind: { enum: ["report", "letter", "note"] },
    pages: { type: "integer", minimum: 1, maximum: 900 },
    score: { type: "number", minimum: 0, maximum: 1 },
    tags: { type: "array", items: { type: "string" }, minItems: 2, maxItems: 6 },
    author: {
      type: "object",
      properties: { name: { type: "string" }, born: { type: "string", format: "date" } },
      required: ["name", "born"],
    },
  },
  required: ["title", "kind", "pages", "score", "tags", "author"],
};

export async function grammar(): Promise<Row[]> {
  const { directory: libraries } = await llamaLibraries();
  const directory = mkdtempSync(join(tmpdir(), "llmspell-bench-grammar-"));
  try {
    return ["llama-bpe", "qwen2"].map((vocabulary) => measure(libraries, directory, vocabulary));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function measure(libraries: string, directory: string, vocabulary: string): Row {
  const path = noiseModel(directory, vocabulary);
  const { root, rules } = schemaGrammar(SCHEMA);
  using model = Model.load(loadLlama(libraries), path, { gpuLayers: 0 });
  using context = Context.create(model, {
    contextTokens: 512,
    batchTokens: 8,
    ubatchTokens: 8,
    sequences: 1,
    threads: 1,
    flashAttention: "auto",
  });
  let tokens = 0;
  let heldMs = 0;
  let freeMs = 0;
  for (let seed = 1; seed <= ANSWERS; seed++) {
    const options: SamplerOptions = { ...SAMPLING, seed };
    using held = Sampler.create(model, undefined, { ...options, grammar: `root ::= ${root}\n${rules}` });
    using free = Sampler.create(model, undefined, options);
    context.forget(0, 0);
    let token = seed;
    for (let position = 0; position < ANSWER_TOKENS; position++) {
      decode(context, token, position);
      // what goes second finds the probabilities in the cache: each does by turns
      const first = position % 2 === 0 ? held : free;
      const second = first === held ? free : held;
      const started = process.threadCpuUsage();
      first.next(context, 0);
      const between = process.threadCpuUsage();
      second.next(context, 0);
      const ended = process.threadCpuUsage();
      if (position > 0) {
        const firstMs = usedMs(started, between);
        const secondMs = usedMs(between, ended);
        heldMs += first === held ? firstMs : secondMs;
        freeMs += first === held ? secondMs : firstMs;
        tokens++;
      }
      token = held.token;
      if (held.isEnd) break;
    }
  }
  return row({
    name: `grammar, a token of ${model.vocabularySize} words (${vocabulary}, noise)`,
    unit: "µs",
    ours: ((heldMs - freeMs) / tokens) * 1000,
    peer: null,
    target: { of: "ours", at: "most", value: 100 },
  });
}

/** Processor time of this thread, which the machine's other work does not lengthen as it does a clock's. */
function usedMs(from: NodeJS.CpuUsage, to: NodeJS.CpuUsage): number {
  return (to.user + to.system - from.user - from.system) / 1000;
}

const SAMPLING: SamplerOptions = {
  temperature: 0.7,
  topK: 40,
  topP: 0.9,
  minP: 0,
  repeatPenalty: 1,
  repeatLastN: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  seed: 0,
};

function decode(context: Context, token: number, position: number): void {
  context.tokens[0] = token;
  context.positions[0] = position;
  context.sequences[0] = 0;
  context.outputs[0] = 1;
  const outcome = context.decode(1);
  if (outcome !== "done") throw new Error(`the model's step ended "${outcome}"`);
}

/** A llama of one small layer with the words of a vocabulary of llama.cpp's release. */
function noiseModel(directory: string, vocabulary: string): string {
  const source = releaseFile(`models/ggml-vocab-${vocabulary}.gguf`);
  const words = stringsOf(source, "tokenizer.ggml.tokens").length;
  const random = uniform(7);
  const matrix = (name: string, columns: number, rows: number) => ({
    name: `${name}.weight`,
    shape: [columns, rows],
    type: "F16" as const,
    values: bell(random, columns * rows, 0.3),
  });
  const ones = (name: string) => ({
    name: `${name}.weight`,
    shape: [WIDTH],
    type: "F32" as const,
    values: new Float32Array(WIDTH).fill(1),
  });
  const path = join(directory, `${vocabulary}.gguf`);
  writeGguf(
    path,
    [
      text("general.architecture", "llama"),
      uint("llama.context_length", 512),
      uint("llama.embedding_length", WIDTH),
      uint("llama.block_count", 1),
      uint("llama.feed_forward_length", WIDTH),
      uint("llama.attention.head_count", 4),
      uint("llama.rope.dimension_count", WIDTH / 4),
      float("llama.attention.layer_norm_rms_epsilon", 1e-5),
      ...copyEntries(source, "tokenizer."),
    ],
    [
      matrix("token_embd", WIDTH, words),
      matrix("output", WIDTH, words),
      ones("output_norm"),
      ones("blk.0.attn_norm"),
      ones("blk.0.ffn_norm"),
      ...["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"].map((name) =>
        matrix(`blk.0.${name}`, WIDTH, WIDTH),
      ),
    ],
  );
  return path;
}

if (import.meta.main) for (const one of await grammar()) console.log(one);
