/** The result of a tool call in the shapes of spec/tools.md section 3. */

import { withTextForBytes } from "../core/bytes-as-text.ts";
import { errorToJson } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import type { ToolResult } from "./service.ts";
import type { ToolDefinition, ToolOutcome } from "./tool.ts";

export function makeResult(tool: ToolDefinition, outcome: ToolOutcome, durationMs: number): ToolResult {
  const success = outcome.success ?? true;
  const envelope = makeEnvelope(outcome, success);
  return {
    ...outcome,
    tool: tool.name,
    success,
    text: textOf(tool, outcome, envelope),
    envelope,
    primary: success ? tool.primary(outcome) : undefined,
    metadata: { ...outcome.metadata, execution_time_ms: Math.round(durationMs) },
  };
}

/** What a failure looks like where the tool gives failures back as values. */
export function failedOutcome(operation: string, error: unknown): ToolOutcome {
  const { message, code, data } = errorToJson(error);
  return {
    operation,
    success: false,
    error: { message, code, ...(data === undefined ? {} : { details: data }) },
  };
}

function makeEnvelope(outcome: ToolOutcome, success: boolean): Record<string, unknown> {
  const { operation, message, result, error, extra, metadata } = outcome;
  return {
    ...extra,
    operation,
    success,
    ...(message === undefined ? {} : { message }),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error: { code: null, details: null, ...error } }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function textOf(
  tool: ToolDefinition,
  outcome: ToolOutcome,
  envelope: Record<string, unknown>,
): string | Uint8Array {
  if (tool.style === "envelope") return stringifyJson(withTextForBytes(envelope), true);
  return outcome.text ?? outcome.message ?? outcome.error?.message ?? "";
}
