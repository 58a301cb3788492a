/** From the tables of builders, `Agent.create` and `Agent.register` to an agent's configuration. */
import type { AgentConfig } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import { budgetLimits, budgetTable } from "../../models/calls/budget-table.ts";
import { answerForm } from "./answer-form.ts";
import { approvalPolicy, approvalTable } from "./approval.ts";
import { flag, integer, number, present, type Table, table, text, texts } from "./fields.ts";

/** Keys of later tables win. */
export function agentConfig(given: Table): AgentConfig {
  const custom = table(given.custom_config) ?? {};
  const limits = table(given.resource_limits) ?? {};
  const timeoutMs = number(given.timeout_ms);
  return present<AgentConfig>({
    name: text(given.name),
    description: text(given.description),
    type: text(given.agent_type) ?? text(given.type),
    ...modelFields(given),
    systemPrompt: text(given.system_prompt) ?? text(given.prompt) ?? text(custom.system_prompt),
    topP: number(given.top_p),
    topK: integer(given.top_k),
    seed: integer(given.seed),
    stop: texts(given.stop),
    form: answerForm(given),
    maxConversationLength: integer(given.max_conversation_length) ?? integer(custom.max_conversation_length),
    baseUrl: text(given.base_url),
    apiKey: text(given.api_key),
    allowedTools: texts(given.allowed_tools) ?? texts(given.tools),
    approval: approvalPolicy(given.approval),
    maxExecutionTimeSeconds:
      number(limits.max_execution_time_secs) ??
      number(given.max_execution_time) ??
      number(given.timeout) ??
      (timeoutMs === undefined ? undefined : timeoutMs / 1000),
    maxMemoryMb: number(limits.max_memory_mb) ?? number(given.max_memory_mb),
    maxToolCalls: integer(limits.max_tool_calls) ?? integer(given.max_tool_calls),
    maxRecursionDepth: integer(limits.max_recursion_depth) ?? integer(given.max_recursion_depth),
    maxRetries: integer(given.max_retries),
    fallbackModels: texts(given.fallback_models) ?? texts(given.fallback),
    maxSchemaRetries: integer(given.max_schema_retries),
    contextWindow: integer(given.context_window),
    contextShift: flag(given.context_shift),
    memoryEnabled: flag(given.memory_enabled),
    capabilities: texts(given.capabilities),
    budget: budgetLimits("agent", given.budget),
  });
}

/** `model` as a specifier, or as `{provider, model_id, temperature?, max_tokens?, settings?}`. */
function modelFields(given: Table) {
  const own = table(given.model) ?? {};
  const provider = text(given.provider) ?? text(own.provider);
  if (provider === undefined && own.model_id !== undefined) {
    throw new SpellError("invalid_argument", 'Cannot build agent: "model.provider" is required', {
      hint: 'Write model = {provider = "local", model_id = "spell-mini"}, or model = "local/spell-mini"',
    });
  }
  const settings = table(own.settings) ?? {};
  return {
    model: text(given.model) ?? text(own.model_id),
    provider,
    temperature: number(given.temperature) ?? number(own.temperature) ?? number(settings.temperature),
    maxTokens: integer(given.max_tokens) ?? integer(own.max_tokens) ?? integer(settings.max_tokens),
  };
}

/** The effective settings as scripts read them: never the key. */
export function configTable(config: AgentConfig): Table {
  return present<Table>({
    name: config.name,
    description: config.description,
    type: config.type,
    model: config.model,
    provider: config.provider,
    system_prompt: config.systemPrompt,
    temperature: config.temperature,
    top_p: config.topP,
    top_k: config.topK,
    seed: config.seed,
    stop: config.stop,
    ...(config.form as Table | undefined),
    max_tokens: config.maxTokens,
    max_conversation_length: config.maxConversationLength,
    base_url: config.baseUrl,
    allowed_tools: config.allowedTools,
    approval: approvalTable(config.approval),
    max_retries: config.maxRetries,
    fallback_models: config.fallbackModels,
    max_schema_retries: config.maxSchemaRetries,
    context_window: config.contextWindow,
    context_shift: config.contextShift,
    memory_enabled: config.memoryEnabled,
    capabilities: config.capabilities,
    budget: config.budget === undefined ? undefined : budgetTable(config.budget),
    resource_limits: present<Table>({
      max_execution_time_secs: config.maxExecutionTimeSeconds,
      max_memory_mb: config.maxMemoryMb,
      max_tool_calls: config.maxToolCalls,
      max_recursion_depth: config.maxRecursionDepth,
    }),
  });
}
