import type { RunContext } from "../kernel/services.ts";
import type { SavedConversations } from "./saved-state.ts";
import type { AgentEvent, AgentInput, AgentOutput } from "./service.ts";

/** One turn, as the kind of an agent sees it. */
export interface Turn {
  readonly input: AgentInput;
  readonly run: RunContext;
  /** Aborted by the run, the agent's time limit and its end. */
  readonly signal: AbortSignal;
  emit(event: AgentEvent): Promise<void>;
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
  };
}

/** An agent without a model: it answers with what it was told. */
export const echoBehaviour: Behaviour = {
  heldBytes: 0,
  async run(turn) {
    await turn.emit({ type: "text", text: turn.input.text });
    return {
      text: turn.input.text,
      toolCalls: [],
      usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 },
      finishReason: "stop",
      model: "echo",
      provider: "basic",
    };
  },
};
