/** What a scenario works with: OpenAI's own client and the server it talks to. */
import assert from "node:assert/strict";
import type OpenAI from "openai";
import { APIError } from "openai";

export interface Target {
  client: OpenAI;
  /** Another client of the same server, whose token is wrong. */
  stranger: OpenAI;
  /** The same for the server of the embedding model; llama-server has one model only. */
  embedder: OpenAI;
  /** The same for the server of the ranking model. */
  ranker: OpenAI;
  chatModel: string;
  embeddingModel: string;
  rankingModel: string;
  contextTokens: number;
}

export interface Scenario {
  name: string;
  run(target: Target): Promise<void>;
  /** What llama-server does instead, where the scenario cannot hold for it. */
  peer?: string;
}

export interface Ranking {
  results: { index: number; relevance_score: number; document?: { text: string } }[];
}

/** OpenAI's API has no ranking; this is the form that Jina's, Cohere's and llama-server have. */
export function ranking({ ranker, rankingModel }: Target, body: object): Promise<Ranking> {
  return ranker.post("/rerank", { body: { model: rankingModel, ...body } }) as Promise<Ranking>;
}

/** Asserts that a call fails with a status, and gives the failure. */
export async function failing(status: number, call: PromiseLike<unknown>): Promise<APIError> {
  try {
    await call;
  } catch (error) {
    assert(error instanceof APIError, `no answer of the server: ${error}`);
    assert.equal(error.status, status, error.message);
    assert.equal(typeof (error.error as { message?: unknown }).message, "string");
    return error;
  }
  assert.fail(`it did not fail with ${status}`);
}

/** Greedy: every server gives the same answer. */
export const GREEDY = { temperature: 0 } as const;

export const CALCULATOR: OpenAI.ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "calculator",
    description: "Evaluates arithmetic expressions",
    parameters: {
      type: "object",
      properties: { input: { type: "string" } },
      required: ["input"],
      additionalProperties: false,
    },
  },
};

export const CLOCK: OpenAI.ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "clock",
    description: "Tells the time in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

export const user = (content: string) => ({ role: "user" as const, content });

/** The arguments of a call, checked to be what the calculator takes. */
export function calculatorInput(
  call: { function?: { name?: string; arguments?: string } } | undefined,
): string {
  assert.equal(call?.function?.name, "calculator");
  const input = JSON.parse(call?.function?.arguments ?? "") as Record<string, unknown>;
  assert.deepEqual(Object.keys(input), ["input"]);
  assert.equal(typeof input.input, "string");
  return input.input as string;
}
