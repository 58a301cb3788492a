import { randomId } from "../core/clock.ts";
import { SpellError } from "../core/errors.ts";
import type { ModelOverrides } from "../models/service.ts";
import type { AgentConfig } from "./service.ts";

const DEFAULTS = {
  description: "LLM-powered agent",
  type: "llm",
  maxConversationLength: 100,
  maxExecutionTimeSeconds: 300,
  maxMemoryMb: 512,
  maxToolCalls: 100,
  maxRecursionDepth: 10,
  maxSchemaRetries: 2,
  memoryEnabled: true,
} as const;

export type ResolvedConfig = AgentConfig &
  Required<Pick<AgentConfig, "name" | Exclude<keyof typeof DEFAULTS, never>>>;

/** Least and greatest value of each number a script may set, under the name the script uses. */
const RANGES: { [K in keyof AgentConfig]?: [name: string, least: number, greatest: number] } = {
  temperature: ["temperature", 0, 2],
  topP: ["top_p", 0, 1],
  topK: ["top_k", 0, Infinity],
  maxTokens: ["max_tokens", 1, Infinity],
  maxConversationLength: ["max_conversation_length", 0, Infinity],
  maxExecutionTimeSeconds: ["max_execution_time", 0.001, Infinity],
  maxMemoryMb: ["max_memory_mb", 1, Infinity],
  maxToolCalls: ["max_tool_calls", 0, Infinity],
  maxRecursionDepth: ["max_recursion_depth", 1, Infinity],
  maxRetries: ["max_retries", 0, Infinity],
  maxSchemaRetries: ["max_schema_retries", 0, Infinity],
  contextWindow: ["context_window", 1, Infinity],
};

/** The configuration with every default filled in. @throws SpellError invalid_argument */
export function resolveConfig(config: AgentConfig): ResolvedConfig {
  if (config.name?.trim() === "") {
    throw new SpellError("invalid_argument", "Cannot build agent: name must not be empty");
  }
  for (const [key, range] of Object.entries(RANGES)) {
    const value = config[key as keyof AgentConfig];
    const [name, least, greatest] = range;
    if (typeof value !== "number" || (value >= least && value <= greatest)) continue;
    const rule = greatest === Infinity ? `at least ${least}` : `between ${least} and ${greatest}`;
    throw new SpellError("invalid_argument", `Cannot build agent: "${name}" must be ${rule}: ${value}`);
  }
  return { ...DEFAULTS, ...config, name: config.name ?? generatedName() };
}

function generatedName(): string {
  return `agent_${randomId().slice(0, 8)}`;
}

/** What an agent says of its model besides the specifier. */
export function modelOverrides(config: ResolvedConfig): ModelOverrides {
  return {
    ...(config.provider === undefined ? {} : { provider: config.provider }),
    ...(config.baseUrl === undefined ? {} : { baseUrl: config.baseUrl }),
    ...(config.apiKey === undefined ? {} : { apiKey: config.apiKey }),
    ...(config.maxRetries === undefined ? {} : { maxRetries: config.maxRetries }),
    ...(config.fallbackModels === undefined ? {} : { fallback: config.fallbackModels }),
  };
}
