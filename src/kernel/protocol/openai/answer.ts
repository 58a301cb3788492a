/** What answers of chat and text completions share: their head, their usage and why they ended. */
import type { LanguageModelV4FinishReason, LanguageModelV4Usage } from "@ai-sdk/provider";
import type { Choice } from "./settings.ts";

export interface Head {
  id: string;
  /** Seconds since 1970. */
  created: number;
  model: string;
}

export function newHead(prefix: "chatcmpl" | "cmpl", model: string): Head {
  return { id: `${prefix}-${Bun.randomUUIDv7("hex")}`, created: Math.floor(Date.now() / 1000), model };
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
  /** Tokens that were decoded on trial because the answer seemed to repeat a text: those that were right, and the others. */
  completion_tokens_details: { accepted_prediction_tokens: number; rejected_prediction_tokens: number };
}

/** Of several answers to one prompt, the prompt counts once. `usages` and `choices` are in the same order. */
export function usageOf(choices: readonly Choice[], usages: readonly LanguageModelV4Usage[]): Usage {
  let prompt = 0;
  let cached = 0;
  let completion = 0;
  const speculation = { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 };
  usages.forEach(({ inputTokens, outputTokens, raw }, i) => {
    completion += outputTokens.total ?? 0;
    for (const name of ["accepted_prediction_tokens", "rejected_prediction_tokens"] as const)
      speculation[name] += Number(raw?.[name] ?? 0);
    if (choices[i]!.prompt === choices[i - 1]?.prompt) return;
    prompt += inputTokens.total ?? 0;
    cached += inputTokens.cacheRead ?? 0;
  });
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: speculation,
  };
}

const FINISH: Partial<Record<LanguageModelV4FinishReason["unified"], string>> = {
  length: "length",
  "tool-calls": "tool_calls",
  "content-filter": "content_filter",
};

export function finishReasonOf({ unified }: LanguageModelV4FinishReason): string {
  return FINISH[unified] ?? "stop";
}

/** How the answers of one endpoint are written, whole or as a stream of chunks. */
export interface Writer {
  whole(results: readonly Result[]): object;
  /** The chunks that a part of the choice's stream becomes. */
  chunks(choice: number, part: StreamPart): object[];
  /** The last chunk, where the request asks for it. */
  usageChunk(usages: readonly LanguageModelV4Usage[]): object;
}

export type Result = import("@ai-sdk/provider").LanguageModelV4GenerateResult;
export type StreamPart = import("@ai-sdk/provider").LanguageModelV4StreamPart;
