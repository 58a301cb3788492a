import { outputOf } from "./llama-cpp.ts";

/** What each side of a comparison works on. */
export interface Load {
  model: string;
  threads: number;
  /** Room for all sequences together. */
  contextTokens: number;
  /** Of each sequence. */
  promptTokens: number;
  generatedTokens: number;
}

/**
 * Tokens a second, prompts and answers together, of so many sequences side by side.
 * @param inOneRoom they share the context's memory as ours do, instead of having an equal part of it each
 */
export async function batchedBench(
  path: string,
  load: Load,
  sequences: number,
  inOneRoom = false,
): Promise<number> {
  const out = await outputOf([
    path,
    ...["-m", load.model, "-t", String(load.threads), "-c", String(load.contextTokens)],
    ...["-b", "2048", "-ub", "512", "-npp", String(load.promptTokens), "-ntg", String(load.generatedTokens)],
    ...["-npl", String(sequences), "--output-format", "jsonl"],
    ...(inOneRoom ? ["-kvu"] : []),
  ]);
  const line = out.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`llama-batched-bench reported nothing: ${out}`);
  return (JSON.parse(line) as { speed: number }).speed;
}
