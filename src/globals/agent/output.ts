/** The output table of spec/lua-api.md section 0.3, with the fields agents add to it. */
import type { AgentOutput, AgentToolCall } from "../../agents/service.ts";
import { SpellError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { isPlainObject, ScriptTable, type ScriptValue } from "../../core/values.ts";
import { present, type Table } from "./fields.ts";

export function outputTable(output: AgentOutput): ScriptTable {
  const { text } = output;
  const { calls, retries = 0, costUsd, firstTokenMs } = output.usage;
  const metadata = present<Table>({
    model: output.model,
    provider: output.provider,
    token_count: output.usage.totalTokens,
    estimated_tokens: output.usage.totalTokens,
    execution_time_ms: output.durationMs,
    duration_ms: output.durationMs,
    finish_reason: output.finishReason,
    estimated_cost_cents: costUsd === undefined ? undefined : costUsd * 100,
    provider_total_requests: calls === undefined ? undefined : calls + retries,
    retries,
    first_token_ms: firstTokenMs,
    cached_calls: output.usage.cachedCalls,
    agent_outputs: output.members,
  });
  // A table that is also text: examples print it, join it and read its `text` or `content`.
  const result = new ScriptTable({ text, fields: { text, content: text } });
  const fields: Table = {
    success: true,
    text,
    result,
    response: text,
    content: text,
    output: text,
    tool_calls: output.toolCalls.map(toolCallTable),
    usage: present<Table>({
      prompt_tokens: output.usage.promptTokens,
      completion_tokens: output.usage.completionTokens,
      total_tokens: output.usage.totalTokens,
      cached_tokens: output.usage.cachedTokens,
      cost_usd: costUsd,
    }),
    execution_time_ms: output.durationMs,
    ...(output.parsed === undefined ? decoded(text) : held(output.parsed.value as ScriptValue)),
    _metadata: metadata,
    metadata,
  };
  return new ScriptTable({ text, fields });
}

/** The value of an answer that was held to a schema. */
const held = (value: ScriptValue): Table => ({ parsed: value, data: value });

/** What JSON text adds: an object that looks like a tool's result is spread out, any other value is `data`. */
function decoded(text: string): Table {
  const value = parse(text);
  if (value === undefined) return {};
  if (isPlainObject(value) && ["success", "result", "operation"].some((key) => key in value)) {
    return { ...(value as Table), _raw_text: text };
  }
  return { data: value as ScriptValue };
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SpellError && error.code === "invalid_argument") return undefined;
    throw error;
  }
}

function toolCallTable(call: AgentToolCall): Table {
  return {
    tool_id: call.toolId,
    tool_name: call.toolName,
    parameters: call.parameters as ScriptValue,
    result: present<Table>({
      success: call.success,
      data: call.success ? call.output : undefined,
      error: call.error,
      execution_time_ms: call.durationMs,
    }),
  };
}
