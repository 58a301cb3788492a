import type { ScriptValue } from "../../core/values.ts";
import type { WorkflowProgress } from "../../workflows/service.ts";

export function progressTable(progress: WorkflowProgress): ScriptValue {
  const { executionId, retryAttempt, durationMs, ...fields } = progress;
  return {
    ...fields,
    execution_id: executionId,
    ...(retryAttempt === undefined ? {} : { retry_attempt: retryAttempt }),
    ...(durationMs === undefined ? {} : { duration_ms: durationMs }),
  } as ScriptValue;
}
