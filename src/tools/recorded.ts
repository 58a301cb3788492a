/** What a recording keeps of a tool's result: what it says, not how long it took. */
import type { ToolResult } from "./service.ts";

export function toolOutput({ success, operation, result, message, error, text, envelope }: ToolResult) {
  return {
    success,
    operation,
    ...(result === undefined ? {} : { result }),
    ...(message === undefined ? {} : { message }),
    ...(error === undefined ? {} : { error }),
    // an envelope's text says the same once more
    ...(typeof text === "string" && text.startsWith("{") && envelope.result !== undefined ? {} : { text }),
  };
}
