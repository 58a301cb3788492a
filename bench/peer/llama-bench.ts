import { outputOf } from "./llama-cpp.ts";

export interface LlamaBenchRun {
  model: string;
  threads: number;
  promptTokens: number;
  generatedTokens: number;
}

/** Tokens a second of one repetition of each test, after llama-bench's own warm-up. */
export async function runLlamaBench(
  path: string,
  options: LlamaBenchRun,
): Promise<{ prompt: number; generation: number }> {
  const out = await outputOf([
    path,
    ...["-m", options.model, "-t", String(options.threads), "-r", "1", "-o", "json"],
    ...["-p", String(options.promptTokens), "-n", String(options.generatedTokens)],
  ]);
  const tests = JSON.parse(out) as { n_prompt: number; n_gen: number; avg_ts: number }[];
  const speed = (prompt: number, generated: number) => {
    const test = tests.find((t) => t.n_prompt === prompt && t.n_gen === generated);
    if (test === undefined)
      throw new Error(`llama-bench reported no test of ${prompt} + ${generated} tokens`);
    return test.avg_ts;
  };
  return { prompt: speed(options.promptTokens, 0), generation: speed(0, options.generatedTokens) };
}
