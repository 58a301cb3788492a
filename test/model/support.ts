import type { LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import type { GenerateRequest, ModelSpec } from "../../src/models/llamacpp/protocol.ts";

/** One thread: the result does not depend on their number, and others use this machine too. */
export const specOf = (path: string): ModelSpec => ({
  path,
  contextTokens: 512,
  threads: 1,
  gpuLayers: 0,
  batchTokens: 2048,
  ubatchTokens: 512,
  flashAttention: "auto",
});

export const greedy = (text: string, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  prompt: { text },
  sampling: { temperature: 0, repeatPenalty: 1 },
  stops: [],
  reusePrefix: true,
  ...more,
});

export const CALCULATOR = {
  type: "function" as const,
  name: "calculator",
  description: "Evaluates arithmetic expressions",
  inputSchema: {
    type: "object" as const,
    properties: { expression: { type: "string" as const } },
    required: ["expression"],
  },
};

export function ask(
  text: string,
  more: Partial<LanguageModelV4CallOptions> = {},
): LanguageModelV4CallOptions {
  return {
    prompt: [
      { role: "system", content: "You are Ada." },
      { role: "user", content: [{ type: "text", text }] },
    ],
    ...more,
  };
}

export async function partsOf(
  stream: ReadableStream<LanguageModelV4StreamPart>,
): Promise<LanguageModelV4StreamPart[]> {
  const parts: LanguageModelV4StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** The error that a promise rejects with. */
export async function failureOf(
  promise: Promise<unknown> | PromiseLike<unknown>,
): Promise<Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Record<string, unknown>;
  }
  throw new Error("It did not fail");
}
