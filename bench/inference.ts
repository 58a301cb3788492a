import { availableParallelism } from "node:os";
import { computeThreads } from "../src/models/llamacpp/threads.ts";
import { LocalEngine } from "./local-engine.ts";
import { interleave, median } from "./measure.ts";
import { benchModel } from "./model.ts";
import { runLlamaBench } from "./peer/llama-bench.ts";
import { llamaProgram } from "./peer/llama-cpp.ts";
import { type Row, row, Unavailable } from "./row.ts";

const PROMPT_TOKENS = 512;
const GENERATED_TOKENS = 128;
const ROUNDS = 9;

interface Speeds {
  /** Tokens a second. */
  prompt: number;
  generation: number;
}

async function speedsOf(engine: LocalEngine, prompt: string): Promise<Speeds> {
  const time = async (text: string, tokens: number) => {
    const startedMs = performance.now();
    await engine.generate(text, tokens);
    return (performance.now() - startedMs) / 1000;
  };
  // Each token of an answer to an empty prompt is one decode call; so llama-bench counts.
  return {
    prompt: PROMPT_TOKENS / (await time(prompt, 1)),
    generation: GENERATED_TOKENS / (await time("", GENERATED_TOKENS)),
  };
}

/** Prompt processing and generation on one model file with the same threads and the same libraries. */
export async function inference(): Promise<Row[]> {
  const model = await benchModel();
  const threads = Math.min(computeThreads(), availableParallelism());
  const peer = await llamaProgram("llama-bench");
  const engine = new LocalEngine({ path: model, contextTokens: 1024, threads });
  try {
    const prompt = await engine.textOf(PROMPT_TOKENS);
    const test = { model, threads, promptTokens: PROMPT_TOKENS, generatedTokens: GENERATED_TOKENS };
    const sides: Record<string, () => Promise<Speeds>> = { ours: () => speedsOf(engine, prompt) };
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
    await engine.dispose();
  }
}
