/** The result table of spec/lua-api.md section 3.7, with the mirrors that scripts read. */
import { ScriptTable, type ScriptValue } from "../../core/values.ts";
import { type StepOutcome, textOf } from "../../workflows/outcome.ts";
import type { WorkflowResult } from "../../workflows/service.ts";
import type { Table } from "../agent/fields.ts";

export function workflowTable(result: WorkflowResult): ScriptTable {
  const { text, durationMs, steps, counts } = result;
  const outputs: Table = {};
  const stepTables: Table = {};
  for (const outcome of steps) {
    stepTables[outcome.name] = stepTable(outcome);
    if (outcome.status === "completed") outputs[outcome.name] = textOf(outcome.value);
  }
  const hasAgents = result.agents.size > 0;
  const extra: Table = {
    ...(counts as Table),
    workflow_type: result.workflowType,
    workflow_name: result.workflowName,
    execution_id: result.executionId,
    restored_steps: result.restoredSteps,
    ...(result.runId === undefined ? {} : { run_id: result.runId }),
    ...(hasAgents ? { agent_outputs: agentMap(result) } : {}),
  };
  const metadata: Table = { execution_time_ms: durationMs, extra };
  const output = result.output as ScriptValue;
  const fields: Table = {
    success: result.success,
    status: result.status,
    text,
    output,
    result: output,
    data: output,
    error: result.error === undefined ? null : errorValue(result.error.message, result.error.code),
    execution_id: result.executionId,
    workflow_id: result.workflowId,
    workflow_name: result.workflowName,
    workflow_type: result.workflowType,
    execution_time: durationMs,
    execution_time_ms: durationMs,
    duration_ms: durationMs,
    outputs,
    steps: stepTables,
    step_results: stepTables,
    final_state: result.shared as Table,
    agent_outputs: agentList(result),
    media: [],
    tool_calls: [],
    metadata,
    _metadata: metadata,
    ...(result.usage === undefined ? {} : { usage: { ...result.usage } }),
    ...(result.runId === undefined ? {} : { run_id: result.runId }),
    ...("total_iterations" in counts ? { iterations: counts.total_iterations as number } : {}),
    ...("total_branches" in counts && result.workflowType === "parallel" ? { branches: output } : {}),
  };
  return new ScriptTable({ text, fields });
}

/** What a callback is told of a run that failed. */
export function failureTable(message: string, code: string, status: string): ScriptTable {
  const fields: Table = { success: false, status, text: message, error: errorValue(message, code) };
  return new ScriptTable({ text: message, fields });
}

/** Has fields, and is its message where a text is wanted. */
const errorValue = (message: string, code: string): ScriptTable =>
  new ScriptTable({ text: message, fields: { message, code } });

function stepTable(outcome: StepOutcome): Table {
  const { status, value, error, durationMs, retryCount } = outcome;
  return {
    success: status !== "failed",
    status,
    output: value as ScriptValue,
    error: error === undefined ? null : errorValue(error.message, error.code),
    duration_ms: durationMs,
    retry_count: retryCount,
  };
}

/** By agent; by step where no agent has that name, unseen by iteration. */
function agentMap(result: WorkflowResult): ScriptTable {
  return new ScriptTable({ fields: Object.fromEntries(result.agents), fallback: bySteps(result) });
}

/** Entries that can be read as `{name, output}` and as `entry[1], entry[2]`; the list answers to names too. */
function agentList(result: WorkflowResult): ScriptTable {
  const array = [...result.agents].map(
    ([name, output]) =>
      new ScriptTable({ array: [name, output], fields: { name, agent_name: name, output } }),
  );
  return new ScriptTable({ array, fallback: { ...bySteps(result), ...Object.fromEntries(result.agents) } });
}

function bySteps({ steps }: WorkflowResult): Table {
  const found: Table = {};
  for (const { name, agents, value } of steps) if (agents.length > 0) found[name] = textOf(value);
  return found;
}
