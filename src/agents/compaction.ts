/** A conversation made shorter because a script asks for it: the model sums up its older turns, which are kept beside. */
import type { LanguageModelV4Message } from "@ai-sdk/provider";
import { SpellError } from "../core/errors.ts";
import type { TurnMessages } from "./conversation.ts";
import type { LoopResult } from "./loop.ts";

export interface CompactOptions {
  /** The newest turns, which stay as they are. Default 2. */
  keepTurns?: number;
  /** What the model is asked. */
  prompt?: string;
  maxTokens?: number;
}

export interface Compacted {
  /** Undefined: there was nothing to sum up. */
  summary: string | undefined;
  compactedTurns: number;
  messagesBefore: number;
  messagesAfter: number;
}

export const KEPT_TURNS = 2;

export const COMPACT_PROMPT =
  "Sum up our conversation so far for your own later use: facts, names, numbers, decisions, open questions and what I want. Be complete and short. Write the summary only.";

/** The turn that stands for the older ones. @throws SpellError provider where the answer cannot */
export function summaryTurn(prompt: string, { text, finishReason }: LoopResult, agent: string): TurnMessages {
  const refuse = (why: string, hint: string) =>
    new SpellError("provider", `Cannot compact the conversation of agent "${agent}": ${why}`, { hint });
  if (finishReason === "length") throw refuse("the summary was cut off", "Raise max_tokens");
  if (text.trim() === "") throw refuse("the summary is empty", "Give another prompt, or use another model");
  return [said("user", prompt), said("assistant", text)];
}

const said = (role: "user" | "assistant", text: string): LanguageModelV4Message => ({
  role,
  content: [{ type: "text", text }],
});
