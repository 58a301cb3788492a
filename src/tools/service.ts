import type { ToolContext, ToolDefinition, ToolOutcome } from "./tool.ts";

/** A finished call: the outcome, completed with what was measured. */
export interface ToolResult extends ToolOutcome {
  tool: string;
  success: boolean;
  /** Style "envelope": the envelope as JSON text. Style "text": the outcome's text. */
  text: string | Uint8Array;
  /** The envelope of spec/tools.md section 3.1. */
  envelope: Record<string, unknown>;
  /** The main scalar, where the tool has one. */
  primary: unknown;
  metadata: Record<string, unknown> & { execution_time_ms: number };
}

export interface ToolCallOptions {
  signal?: AbortSignal;
  correlationId?: string;
  timeoutMs?: number;
  /** The model's id of the call. */
  callId?: string;
}

/** Everything given must hold. */
export interface ToolFilter {
  /** Exact, without case. */
  category?: string;
  /** Part of the description. */
  tag?: string;
  /** Words that all occur in the name or description. */
  capabilities?: string[];
}

export interface ToolService {
  /** All tools by main name, sorted. */
  list(): readonly ToolDefinition[];
  /** The tools that a query finds, as hooks leave them. */
  discover(filter: ToolFilter): Promise<readonly ToolDefinition[]>;
  /** Exact name, then `_` for `-`, then aliases. */
  find(name: string): ToolDefinition | undefined;
  /**
   * Checks the parameters, the level and the capabilities, runs the tool within its limits.
   * @throws SpellError not_found, invalid_argument, permission_denied, tool_failed, timeout
   */
  execute(name: string, params: Record<string, unknown>, options?: ToolCallOptions): Promise<ToolResult>;
  /** Adds a tool for this process (Tool.register, agents as tools). Refuses a name that is taken. */
  register(definition: ToolDefinition): void;
  unregister(name: string): void;
  /** Waits, for a short while, until calls that were given up have cleaned up: removed temporary files, say. */
  dispose(): Promise<void>;
}

export type { ToolContext, ToolDefinition, ToolOutcome };
