/** What the greedy comparison runs: each generated model and spell-mini, on several prompts. */
export const MODELS = ["llama-f32", "qwen2-f16", "gemma-q8_0", "phi3-q8_0", "spell-mini"] as const;

export const OUTPUT_TOKENS = 64;

export const PROMPTS: readonly string[] = [
  "Hello there, 12 words.",
  "la mu si, ge fa do? äöü 漢字 🎉",
  "<|system|>You are Ada.\nTools:\n- calculator(expression): Evaluates arithmetic expressions<|end|><|user|>What is 12*7+3?<|end|><|assistant|>",
  `${"one two three four five six seven eight nine ten ".repeat(6)}and`,
];

export interface Reference {
  model: string;
  prompt: string;
  /** llama-server's `tokens`, an end token included. */
  tokens: number[];
}
