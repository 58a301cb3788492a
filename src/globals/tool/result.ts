/** Tool results and failures as scripts get them: spec/tools.md section 3.4, spec/lua-api.md section 2.1. */
import { SpellError } from "../../core/errors.ts";
import { ScriptTable, type ScriptValue } from "../../core/values.ts";
import type { ToolDefinition, ToolResult } from "../../tools/service.ts";

export function resultTable(style: ToolDefinition["style"], result: ToolResult): Record<string, ScriptValue> {
  const { envelope, text, primary, operation } = result;
  return {
    ...(envelope as Record<string, ScriptValue>),
    ...(result.error === undefined ? {} : { error: errorValue(result.error) }),
    ...(primary === undefined ? {} : { output: primary as ScriptValue }),
    ...(style === "envelope" ? { _raw_text: text } : {}),
    text,
    metadata: { ...result.metadata, operation, response: envelope } as ScriptValue,
  };
}

/** The result of a call in a batch that raised. */
export function raisedTable(tool: string, error: SpellError): Record<string, ScriptValue> {
  return {
    tool,
    success: false,
    text: error.message,
    error: errorValue({ message: error.message, code: error.code, details: error.data }),
    metadata: {},
  };
}

/** Has fields, and is its message where a text is wanted. */
function errorValue(error: NonNullable<ToolResult["error"]>): ScriptTable {
  return new ScriptTable({ fields: error as Record<string, ScriptValue>, text: error.message });
}

/** What a script sees when a call raises: `Tool execution failed: …`. Interrupts and bugs stay what they are. */
export function raised(tool: string, error: unknown): unknown {
  if (!(error instanceof SpellError) || error.code === "interrupted" || error.code === "internal")
    return error;
  return new SpellError(error.code, `Tool execution failed: ${error.message}`, {
    data: { ...error.data, tool },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
