/** Runs that scripts begin: waited for, or in the background with a handle. */

import { Type } from "typebox";
import { errorToJson, messageOf, SpellError } from "../../core/errors.ts";
import { Handle, type ScriptFunction, type ScriptTable, type ScriptValue } from "../../core/values.ts";
import type { ProgressListener, Workflow } from "../../workflows/service.ts";
import { type CallContext, type ClassDecl, methodsOf, optional } from "../declare.ts";
import { executeOptions, workflowInput } from "./input.ts";
import { progressTable } from "./progress.ts";
import { failureTable, workflowTable } from "./result.ts";

type Context = CallContext<unknown>;

export async function executeWorkflow(
  { run }: Context,
  workflow: Workflow,
  input: ScriptValue,
  options: ScriptValue,
): Promise<ScriptTable> {
  const { progress, ...given } = executeOptions(options, "WorkflowObject:execute");
  const listener = listenerOf(progress);
  return workflowTable(await workflow.execute(workflowInput(input), run, { ...given, ...listener }));
}

function listenerOf(fn: ScriptFunction | undefined): { listener?: ProgressListener } {
  if (fn === undefined) return {};
  return { listener: async (progress) => void (await fn.call(progressTable(progress))) };
}

/** A run in the background. */
export class BackgroundRun {
  status: "running" | "completed" | "failed" | "cancelled" = "running";
  private readonly cancelling = new AbortController();
  readonly ended: Promise<ScriptTable>;

  constructor(
    ctx: Context,
    readonly workflow: Workflow,
    input: ScriptValue,
    callback: ScriptFunction | undefined,
    options: ScriptValue,
  ) {
    const { progress, ...given } = executeOptions(options, "WorkflowObject:execute_async");
    const listener = listenerOf(progress);
    const work = workflow.execute(workflowInput(input), ctx.run, {
      ...given,
      ...listener,
      cancel: this.cancelling.signal,
    });
    this.ended = work.then(
      (result) => {
        this.status = "completed";
        return workflowTable(result);
      },
      (error: unknown) => {
        const { code, message } = errorToJson(error);
        this.status = code === "interrupted" ? "cancelled" : "failed";
        return failureTable(message, code, this.status);
      },
    );
    if (callback !== undefined) void this.tell(ctx, callback);
  }

  private async tell({ run, services }: Context, callback: ScriptFunction): Promise<void> {
    const result = await this.ended;
    await run.vm.running();
    try {
      if (!run.vm.ended.aborted) await callback.call(result);
    } catch (error) {
      if (!(error instanceof SpellError && error.code === "interrupted"))
        services.log.warn("workflow", "the function for a workflow's end failed", {
          workflow: this.workflow.definition.name,
          reason: messageOf(error),
        });
    } finally {
      callback.release();
    }
  }

  /** @returns nothing where it takes longer */
  async wait(timeoutMs: number | undefined, signal: AbortSignal): Promise<ScriptTable | undefined> {
    const { promise: late, resolve, reject } = Promise.withResolvers<undefined>();
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => resolve(undefined), Math.min(timeoutMs, 2 ** 31 - 1));
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  cancel(): void {
    const { name } = this.workflow.definition;
    this.cancelling.abort(
      new SpellError("interrupted", `Workflow "${name}" was cancelled`, { data: { cancelled: true } }),
    );
  }
}

const { wait } = methodsOf<BackgroundRun>();

export const runClass: ClassDecl = {
  name: "WorkflowRun",
  doc: "A run in the background, as `execute_async` begins it. It ends with the script.",
  methods: {
    wait: wait({
      doc: "Waits for its end; what failed is told in the result and not raised.",
      params: [optional("timeout_ms", Type.Number(), "Default: as long as it takes")],
      returns: "the result of `execute`, `{success = false, status, error}`, or nil where it takes longer",
      handler: async (ctx, timeoutMs) => (await ctx.self.wait(timeoutMs, ctx.run.signal)) ?? null,
    }),
    cancel: wait({
      doc: "Ends it, with the agents and tools at work; a durable run is cancelled for good.",
      params: [],
      returns: "nil",
      handler: (ctx) => {
        ctx.self.cancel();
        return null;
      },
    }),
    status: wait({
      doc: "How it stands.",
      params: [],
      returns: "string: running, completed, failed or cancelled",
      handler: (ctx) => ctx.self.status,
    }),
  },
};

export function startInBackground(
  ctx: Context,
  workflow: Workflow,
  input: ScriptValue,
  callback: ScriptFunction | undefined,
  options: ScriptValue,
): Handle<BackgroundRun> {
  return new Handle("WorkflowRun", new BackgroundRun(ctx, workflow, input, callback, options));
}
