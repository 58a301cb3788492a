/** The types of agents that scripts can make, as discovery describes them. */
export interface AgentType {
  description: string;
  requiredParameters: readonly string[];
  optionalParameters: readonly string[];
  /** What `Agent.create_from_template` starts from; its parameters win. */
  template: Record<string, string | number>;
}

const MODEL_PARAMETERS = [
  "description",
  "provider",
  "system_prompt",
  "temperature",
  "max_tokens",
  "base_url",
  "api_key",
  "allowed_tools",
  "resource_limits",
  "max_conversation_length",
] as const;

export const AGENT_TYPES: Readonly<Record<string, AgentType>> = {
  basic: {
    description: "Echo agent: answers with its input and needs no model",
    requiredParameters: [],
    optionalParameters: ["description"],
    template: {},
  },
  llm: {
    description: "Agent on a language model, with a conversation and the tools it is allowed",
    requiredParameters: ["model"],
    optionalParameters: MODEL_PARAMETERS,
    template: { model: "openai/gpt-4", temperature: 0.7, max_tokens: 2000 },
  },
  "tool-orchestrator": {
    description: "Agent on a language model that may use every tool",
    requiredParameters: ["model"],
    optionalParameters: MODEL_PARAMETERS,
    template: { model: "openai/gpt-4", temperature: 0.3 },
  },
};
