import type { LanguageModelV4Message } from "@ai-sdk/provider";
import type { RunContext } from "../kernel/services.ts";
import type { AgentHooks } from "./hooks.ts";
import type { SavedConversations } from "./saved-state.ts";
import { type AgentEvent, type AgentInput, type AgentOutput, noUsage } from "./service.ts";

/** One turn, as the kind of an agent sees it. */
export interface Turn {
  readonly input: AgentInput;
  readonly run: RunContext;
  /** Aborted by the run, the agent's time limit and its end. */
  readonly signal: AbortSignal;
  emit(event: AgentEvent): Promise<void>;
  readonly hooks: AgentHooks;
}

/** What makes an agent the kind it is; the frame around a turn (`agent.ts`) is the same for all. */
export interface Behaviour {
  /** The turn's output; the frame adds the time it took. */
  run(turn: Turn): Promise<Omit<AgentOutput, "durationMs">>;
  /** Bytes held between turns. */
  readonly heldBytes: number;
  /** What is remembered of earlier turns, where anything is. */
  readonly memory?: {
    conversations(): SavedConversations;
    restore(conversations: SavedConversations): void;
    /** The messages as they were said. */
    original(conversation: string): LanguageModelV4Message[];
    expand(conversation: string): boolean;
  };
}

/** An agent without a model: it answers with what it was told. */
export const echoBehaviour: Behaviour = {
  heldBytes: 0,
  async run(turn) {
    const { input, signal, run } = turn;
    const round = {
      input: input.text,
      model: "echo",
      number: 1,
      identity: () => "",
      signal,
      correlationId: run.id,
    };
    const { text, usage, finishReason } = await turn.hooks.round(round, async (text) => ({
      text,
      toolCalls: [],
      parts: [{ type: "text", text }],
      usage: noUsage(),
      finishReason: "stop",
    }));
    await turn.emit({ type: "text", text });
    return { text, toolCalls: [], usage, finishReason, model: "echo", provider: "basic" };
  },
};
