/** Requests about durable workflows; replies have snake_case fields and times as ISO 8601. */
import { SpellError } from "../../core/errors.ts";
import { fromWire } from "../../core/wire-values.ts";
import type { ShownRun } from "../../workflows/journal/journal.ts";
import type { StepRow } from "../../workflows/journal/rows.ts";
import type { StepOutcome } from "../../workflows/outcome.ts";
import type { WorkflowService } from "../../workflows/service.ts";
import type { KernelReply, WorkflowRequest } from "../api.ts";

type Fields = Record<string, unknown>;

/** @throws SpellError */
export async function answerWorkflowRequest(
  request: WorkflowRequest,
  workflows: WorkflowService,
): Promise<KernelReply> {
  const journal = await workflows.journal();
  switch (request.command) {
    case "list": {
      const runs = journal.list().map(runFields);
      return { status: "ok", runs, count: runs.length };
    }
    case "show": {
      const { run, steps } = journal.show(request.id);
      const input = fromWire(JSON.parse(run.input));
      const shown = steps.filter(({ kind }) => kind !== "choice").map((step) => stepFields(run, step));
      return { status: "ok", run: { ...runFields(run), input, steps: shown } };
    }
    case "cancel":
      return { status: "ok", run_id: request.id, outcome: await journal.cancel(request.id) };
    case "delete":
      await journal.remove(request.id);
      return { status: "ok", run_id: request.id };
    case "prepare": {
      const { id, retry, skip } = request;
      const { run } = journal.show(id);
      checkScript(run, workflows.directory);
      await journal.decide(id, retry, skip);
      return {
        status: "ok",
        run_id: id,
        script: run.script,
        script_hash: run.script_hash,
        arguments: JSON.parse(run.arguments),
        resume: run.script_run,
      };
    }
  }
}

/** @throws SpellError invalid_argument where running the script again would not be the same */
function checkScript({ id, script, directory }: ShownRun, here: string): void {
  if (script === null)
    throw new SpellError("invalid_argument", `Cannot resume workflow run "${id}": no script file began it`, {
      hint: "Execute the workflow again with the same run_id",
    });
  if (directory === here) return;
  throw new SpellError(
    "invalid_argument",
    `Cannot resume workflow run "${id}": it was begun in another directory: ${directory}`,
    { hint: `Go there first: cd ${directory}` },
  );
}

const iso = (timeMs: number | null): string | null =>
  timeMs === null ? null : new Date(timeMs).toISOString();

function runFields(run: ShownRun): Fields {
  return {
    id: run.id,
    workflow: run.workflow,
    type: run.type,
    status: run.status,
    steps_done: run.steps,
    starts: run.starts,
    script: run.script,
    process: run.isAlive ? run.owner_pid : null,
    begun_at: iso(run.begun_at),
    updated_at: iso(run.updated_at),
    ended_at: iso(run.ended_at),
    error: run.error,
  };
}

function stepFields(run: ShownRun, step: StepRow): Fields {
  const isOpen = step.status === "started" && !run.isAlive;
  const outcome = step.outcome === null ? undefined : (fromWire(JSON.parse(step.outcome)) as StepOutcome);
  return {
    path: step.path,
    type: step.kind,
    target: step.target,
    status: !isOpen ? step.status : step.is_repeatable === 1 ? "stopped" : "interrupted",
    repeatable: step.is_repeatable === 1,
    starts: step.starts,
    begun_at: iso(step.begun_at),
    duration_ms: outcome === undefined ? null : Math.round(outcome.durationMs),
    output: outcome?.value ?? null,
    error: step.error,
  };
}
