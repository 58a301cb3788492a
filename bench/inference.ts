import { availableParallelism } from "node:os";
import { InferenceClient } from "../src/models/llamacpp/client.ts";
import type { ModelSpec } from "../src/models/llamacpp/protocol.ts";
import { computeThreads } from "../src/models/llamacpp/threads.ts";
import { interleave, median } from "./measure.ts";
import { benchModel } from "./model.ts";
import { runLlamaBench } from "./peer/llama-bench.ts";
import { llamaProgram } from "./peer/llama-cpp.ts";
import { type Row, row, Unavailable } from "./row.ts";

const PROMPT_TOKENS = 512;
const GENERATED_TOKENS = 128;
const ROUNDS = 7;

interface Speeds {
  /** Tokens a second. */
  prompt: number;
  generation: number;
}

/** The inference thread, as agents reach it; times are taken on this side of it. */
class Ours {
  private readonly client = new InferenceClient();

  constructor(private readonly spec: ModelSpec) {}

  /** A text of exactly so many tokens: each letter is one. */
  private async textOf(tokens: number): Promise<string> {
    const extra = (await this.client.count(this.spec, { text: "a" })) - 1;
    const text = "a".repeat(Math.max(0, tokens - extra));
    const count = await this.client.count(this.spec, { text });
    if (count !== tokens) throw new Error(`the prompt has ${count} tokens instead of ${tokens}`);
    return text;
  }

  /** Milliseconds until the prompt was read, and from there to the end of the answer. */
  private async time(text: string, maxTokens: number): Promise<{ promptMs: number; outputMs: number }> {
    const startedMs = performance.now();
    let readMs = Number.NaN;
    const result = await this.client.generate(
      this.spec,
      {
        prompt: { text },
        sampling: { temperature: 0, repeatPenalty: 1 },
        maxTokens,
        stops: [],
        reusePrefix: false,
      },
      {
        onEvent: (event) => {
          if (event.type === "prompt") readMs = performance.now();
        },
      },
    );
    if (result.tokens.length !== maxTokens)
      throw new Error(`the model made ${result.tokens.length} tokens of ${maxTokens}`);
    return { promptMs: readMs - startedMs, outputMs: performance.now() - readMs };
  }

  async measure(): Promise<Speeds> {
    const { promptMs } = await this.time(await this.textOf(PROMPT_TOKENS), 1);
    // The first token comes from the prompt; so many more are so many decode calls, as llama-bench counts.
    const { outputMs } = await this.time("", GENERATED_TOKENS + 1);
    return { prompt: (PROMPT_TOKENS * 1000) / promptMs, generation: (GENERATED_TOKENS * 1000) / outputMs };
  }

  dispose(): Promise<void> {
    return this.client.dispose();
  }
}

/** Prompt processing and generation on one model file with the same threads and the same libraries. */
export async function inference(): Promise<Row[]> {
  const model = await benchModel();
  const threads = Math.min(computeThreads(), availableParallelism());
  const peer = await llamaProgram("llama-bench");
  const ours = new Ours({
    path: model,
    contextTokens: 1024,
    threads,
    gpuLayers: 0,
    batchTokens: 2048,
    ubatchTokens: 512,
    flashAttention: "auto",
  });
  try {
    const test = { model, threads, promptTokens: PROMPT_TOKENS, generatedTokens: GENERATED_TOKENS };
    const sides: Record<string, () => Promise<Speeds>> = { ours: () => ours.measure() };
    if (!(peer instanceof Unavailable)) sides.peer = () => runLlamaBench(peer, test);
    const speeds = await interleave(ROUNDS, sides);
    const line = (name: string, key: keyof Speeds): Row => {
      const middle = (side: string) => median(speeds[side]!.map((speed) => speed[key]));
      return row({
        name: `inference: ${name}, ${threads} threads`,
        unit: "tok/s",
        ours: middle("ours"),
        peer: { name: "llama-bench", figure: peer instanceof Unavailable ? peer : middle("peer") },
        target: { of: "ratio", at: "least", value: 0.97 },
      });
    };
    return [line(`prompt ${PROMPT_TOKENS}`, "prompt"), line(`generation ${GENERATED_TOKENS}`, "generation")];
  } finally {
    await ours.dispose();
  }
}
