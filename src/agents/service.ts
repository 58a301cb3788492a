/** Agents: what globals and the kernel know of them. */
import type { RunContext } from "../kernel/services.ts";

export interface AgentConfig {
  name?: string;
  description?: string;
  type?: string;
  model?: string;
  provider?: string;
  systemPrompt?: string;
  temperature?: number;
  topP?: number;
  topK?: number;
  seed?: number;
  stop?: string[];
  maxTokens?: number;
  maxConversationLength?: number;
  baseUrl?: string;
  apiKey?: string;
  allowedTools?: string[];
  maxExecutionTimeSeconds?: number;
  maxMemoryMb?: number;
  maxToolCalls?: number;
  maxRecursionDepth?: number;
  contextWindow?: number;
  memoryEnabled?: boolean;
}

export interface AgentInput {
  text: string;
  parameters?: Record<string, unknown>;
  temperature?: number;
  maxTokens?: number;
}

export interface AgentToolCall {
  toolName: string;
  toolId: string;
  parameters: unknown;
  success: boolean;
  output: string;
  error?: string;
  durationMs: number;
}

export interface AgentOutput {
  text: string;
  toolCalls: AgentToolCall[];
  usage: { promptTokens: number; completionTokens: number; totalTokens: number };
  /** `stop`, `length`, `tool-limit`, `repeated-call`. */
  finishReason: string;
  model: string;
  provider: string;
  durationMs: number;
}

/** What happens during a turn, in order; exactly one `end` or `error` comes last. */
export type AgentEvent =
  | { type: "text"; text: string }
  | { type: "tool-start"; callId: string; toolName: string; args: unknown }
  | { type: "tool-end"; callId: string; toolName: string; success: boolean; output: string }
  | { type: "end"; output: AgentOutput }
  | { type: "error"; error: unknown };

export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly config: Readonly<AgentConfig>;
  /** One turn. Turns of one agent run one after another. @throws SpellError */
  execute(input: AgentInput, run: RunContext, onEvent?: (event: AgentEvent) => void): Promise<AgentOutput>;
}

export interface AgentService {
  /** @throws invalid_argument, not_found, config, already_exists */
  create(config: AgentConfig): Promise<Agent>;
  get(name: string): Agent | undefined;
  list(): readonly Agent[];
  destroy(name: string): Promise<boolean>;
}
