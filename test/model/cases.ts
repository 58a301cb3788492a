import type { Completion } from "./reference/server.ts";

/** What the greedy comparison runs: each generated model and spell-mini, on several prompts. */
export const MODELS = ["llama-f32", "qwen2-f16", "gemma-q8_0", "phi3-q8_0", "spell-mini"] as const;

export const OUTPUT_TOKENS = 64;

export const PROMPTS: readonly string[] = [
  "Hello there, 12 words.",
  "la mu si, ge fa do? äöü 漢字 🎉",
  "<|system|>You are Ada.\nTools:\n- calculator(expression): Evaluates arithmetic expressions<|end|><|user|>What is 12*7+3?<|end|><|assistant|>",
  `${"one two three four five six seven eight nine ten ".repeat(6)}and`,
];

/** What is generated beyond the end of the context. */
export const SHIFTED = [
  { prompt: "Hello there, 12 words.", keepTokens: 4 },
  { prompt: "la mu si, ge fa do? one two three", keepTokens: 10 },
  { prompt: "Hello there, 12 words.", keepTokens: 0 },
] as const;

/** `tokens` are llama-server's, an end token included. */
export interface Reference extends Completion {
  model: string;
  prompt: string;
}

export interface ShiftReference extends Completion {
  prompt: string;
  keepTokens: number;
}
