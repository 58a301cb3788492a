import { withDeadline } from "../../agents/deadline.ts";
import { SpellError } from "../../core/errors.ts";
import { span } from "../../core/span.ts";
import { runAsTask } from "../../core/task.ts";
import { Payer, payFor } from "../../models/calls/payer.ts";
import type { Frame } from "../flow/frame.ts";

/** As a task of its own, so that a wait that cannot end is found, and within the workflow's time. */
export function within<T>(frame: Frame, work: (frame: Frame, payer: Payer) => Promise<T>): Promise<T> {
  const { name, type, timeoutMs } = frame.definition;
  const payer = new Payer("workflow", name, frame.definition.budget);
  const asTask = (of: Frame, signal: AbortSignal) =>
    runAsTask(
      `workflow "${name}"`,
      async (task) => {
        payFor(task, payer);
        return work(of, payer);
      },
      signal,
    );
  const body = () => asTask(frame, frame.signal);
  const limited = () => {
    if (timeoutMs === undefined) return body();
    const expired = () =>
      new SpellError("timeout", `workflow "${name}" timed out: timeout_ms is ${timeoutMs}`, {
        data: { limit: "timeout_ms", timeoutMs, variant: "Timeout" },
        hint: "Raise timeout_ms of the workflow",
      });
    return withDeadline(timeoutMs, expired, [frame.signal], (signal) =>
      asTask(frame.withSignal(signal), signal),
    );
  };
  return span(
    {
      category: "workflow",
      operation: "execute_workflow",
      name: `execute_workflow ${name}`,
      attributes: {
        "llmspell.workflow.name": name,
        "llmspell.workflow.type": type,
        "llmspell.workflow.execution_id": frame.executionId,
        "llmspell.workflow.run_id": frame.journal?.id,
      },
    },
    limited,
  );
}
