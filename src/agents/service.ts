/** Agents: what globals and the kernel know of them. */
import type { LanguageModelV4Message } from "@ai-sdk/provider";
import type { RunContext } from "../kernel/services.ts";
import type { BudgetLimits } from "../models/calls/budget.ts";
import type { Payer } from "../models/calls/payer.ts";
import type { SpellModel } from "../models/service.ts";
import type { AgentAlerts, HealthReport } from "./alerts.ts";
import type { AnswerForm } from "./answer-form.ts";
import type { ApprovalPolicy } from "./approval.ts";
import type { Compacted, CompactOptions } from "./compaction.ts";
import type { CompositeRouting } from "./composite.ts";
import type { ExecutionContexts } from "./contexts.ts";
import type { AgentHooks } from "./hooks.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { SavedConversations } from "./saved-state.ts";
import type { SharedMemory } from "./shared-memory.ts";

export interface AgentConfig {
  name?: string;
  description?: string;
  /** `basic` is an echo agent without a model, `tool-orchestrator` may use every tool; all else is `llm`. */
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
  /** What every final answer has to be, unless a call says otherwise. */
  form?: AnswerForm;
  /** Messages of earlier turns that are sent again; the oldest whole turns leave first. Default 100. */
  maxConversationLength?: number;
  baseUrl?: string;
  apiKey?: string;
  allowedTools?: string[];
  /** Which of these calls run at once. Undefined: all. */
  approval?: ApprovalPolicy;
  /** For one turn, tool calls included. Default 300. */
  maxExecutionTimeSeconds?: number;
  /** For the stored conversation. Default 512. */
  maxMemoryMb?: number;
  /** For one turn. Default 100. */
  maxToolCalls?: number;
  /** How many agents' turns may be nested in one another. Default 10. */
  maxRecursionDepth?: number;
  /** Attempts after a request that the provider could not serve, for providers that repeat requests. */
  maxRetries?: number;
  /** Models asked in turn where the agent's own cannot answer; instead of those of its provider. */
  fallbackModels?: string[];
  /** How often an answer that is not of the form is asked for again. Default 2. */
  maxSchemaRetries?: number;
  /** Tokens for prompt and answer together, where less than the model's own context length is wanted. */
  contextWindow?: number;
  /** Where the context is full while an answer is written, forget the older half of it and go on. Default: the model's setting. */
  contextShift?: boolean;
  /** False: every turn starts a new conversation. */
  memoryEnabled?: boolean;
  /** What all its turns together may spend on models. */
  budget?: BudgetLimits;
  capabilities?: string[];
}

export interface AgentImage {
  base64: string;
  /** `png`, `jpeg`, `webp`, `gif`. */
  format: string;
}

export interface AgentInput {
  text: string;
  /** Given to the model as JSON below the text. */
  parameters?: Record<string, unknown>;
  images?: AgentImage[];
  temperature?: number;
  maxTokens?: number;
  /** What this answer has to be; instead of the agent's own form. */
  form?: AnswerForm;
  /** Further tools that the model may call in this turn, by main name. */
  tools?: readonly string[];
  /** The answer sums up all turns but the last few, and takes their place. */
  compaction?: { keepTurns: number };
  /** From an execution context: its visible data goes to the model, its id separates conversations. */
  context?: { conversationId?: string; data: Record<string, unknown> };
}

export interface AgentToolCall {
  toolName: string;
  toolId: string;
  parameters: unknown;
  success: boolean;
  /** What the model was told. */
  output: string;
  error?: string;
  durationMs: number;
}

export interface AgentUsage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  /** Of the prompt tokens: those the provider had in its cache. */
  cachedTokens?: number;
  /** Calls of models. */
  calls?: number;
  /** Those of them that were answered from llmspell's own cache. */
  cachedCalls?: number;
  /** Requests that were repeated, because the provider could not serve them. */
  retries?: number;
  /** What the calls cost, in USD; absent where nothing is known to be paid. */
  costUsd?: number;
  /** From the first call until the first piece of its answer. */
  firstTokenMs?: number;
}

export const noUsage = (): AgentUsage => ({ promptTokens: 0, completionTokens: 0, totalTokens: 0 });

/** Adds `more` to `sum`; what neither tells stays absent. */
export function addUsage(sum: AgentUsage, { firstTokenMs, ...more }: AgentUsage): AgentUsage {
  if (firstTokenMs !== undefined) sum.firstTokenMs ??= firstTokenMs;
  for (const [key, value] of Object.entries(more) as [keyof AgentUsage, number | undefined][])
    if (value !== undefined) sum[key] = (sum[key] ?? 0) + value;
  return sum;
}

export interface AgentOutput {
  text: string;
  /** The value of an answer that was held to a schema; absent where it was cut off. */
  parsed?: { value: unknown };
  toolCalls: AgentToolCall[];
  /** Summed over all model calls of the turn. */
  usage: AgentUsage;
  /** `stop`, `length`, `content-filter`, `tool-limit`, `repeated-call`, `malformed-calls`. */
  finishReason: string;
  /** The model that answered; with a fallback not always the agent's own. */
  model: string;
  provider: string;
  durationMs: number;
  /** A composite's members' outputs by agent name. */
  members?: Record<string, string>;
}

/** What happens during a turn, in order; exactly one `end` or `error` comes last. */
export type AgentEvent =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  /** A piece of the JSON text of a tool call's arguments. */
  | { type: "tool-input"; callId: string; toolName: string; partialArgs: string }
  | { type: "tool-start"; callId: string; toolName: string; args: unknown }
  | { type: "tool-end"; callId: string; toolName: string; success: boolean; output: string }
  | { type: "end"; output: AgentOutput }
  | { type: "error"; error: unknown };

/** The turn waits for a returned promise, so that a slow listener slows the model down and loses nothing. */
export type AgentListener = (event: AgentEvent) => void | Promise<void>;

export type AgentKind = "llm" | "basic" | "composite";

export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly kind: AgentKind;
  readonly description: string;
  readonly config: Readonly<AgentConfig>;
  /** Undefined for agents without a model of their own. */
  readonly model: Pick<SpellModel, "provider" | "modelId" | "seesImages"> | undefined;
  /** Main names of the tools the model may call. */
  readonly toolNames: readonly string[];
  /** Members of a composite, in order. */
  readonly members: readonly Agent[];
  readonly lifecycle: Lifecycle;
  readonly metrics: AgentMetrics;
  readonly alerts: AgentAlerts;
  readonly hooks: AgentHooks;
  /** What its turns have asked of models, and may. */
  readonly payer: Payer;
  health(): HealthReport;
  /**
   * One turn. Turns of one agent run one after another. A turn that fails leaves the conversation as it was.
   * @throws SpellError invalid_argument, limit, timeout, interrupted, deadlock, provider, context_overflow, model_invalid
   */
  execute(input: AgentInput, run: RunContext, listener?: AgentListener): Promise<AgentOutput>;
  /**
   * Has the model sum up the older turns of its own conversation. Turn by turn as it was said it is still in `history`, and
   * `expand` puts it back.
   * @throws SpellError as `execute`; provider where the summary is cut off or empty: nothing is changed then
   */
  compact(options: CompactOptions, run: RunContext): Promise<Compacted>;
  /** False where nothing was compacted. */
  expand(): boolean;
  /** The messages of its own conversation as they were said. */
  history(): LanguageModelV4Message[];
  /** What it remembers of earlier turns; empty where it remembers nothing. */
  conversations(): SavedConversations;
  /** Remembers these instead. */
  restore(conversations: SavedConversations): void;
  /** Ends running turns with `interrupted` and the agent for good. */
  terminate(): void;
}

export interface WrapOptions {
  /** Default: the agent's name and `_tool`. */
  toolName?: string;
  category?: string;
  securityLevel?: "safe" | "restricted" | "privileged";
}

export interface AgentService {
  /** @throws invalid_argument, not_found, config, already_exists */
  create(config: AgentConfig): Promise<Agent>;
  /** @throws not_found for a missing member, already_exists, invalid_argument */
  createComposite(name: string, members: readonly string[], routing: CompositeRouting): Promise<Agent>;
  get(name: string): Agent | undefined;
  /** By name. */
  list(): readonly Agent[];
  /** Ends the agent and the tools made from it, and frees its name. False when there is none. */
  destroy(name: string): Promise<boolean>;
  /**
   * Registers a tool that runs the agent. `run` serves calls that come from no agent's turn.
   * @returns the tool's name
   */
  wrapAsTool(name: string, options: WrapOptions, run: RunContext): Promise<string>;
  /** Ends every agent. */
  dispose(): Promise<void>;
  readonly contexts: ExecutionContexts;
  readonly sharedMemory: SharedMemory;
}
