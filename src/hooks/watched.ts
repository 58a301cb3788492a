/** An executor whose hooks are traced and recorded for replays. */
import { messageOf } from "../core/errors.ts";
import { type RecorderSource, recorded } from "../core/recording.ts";
import { span } from "../core/span.ts";
import { Executor, type ExecutorOptions } from "./executor.ts";
import type { Hook } from "./registry.ts";
import type { HookContext, HookResult } from "./service.ts";

export class WatchedExecutor extends Executor {
  /** Of the hook that ran last in a context. */
  private readonly failures = new WeakMap<HookContext, string>();

  constructor(
    options: ExecutorOptions,
    private readonly recorder: RecorderSource,
  ) {
    super(options);
  }

  override run(
    hook: Hook,
    context: HookContext,
    signal?: AbortSignal,
    startMs?: number,
  ): HookResult | Promise<HookResult> {
    if (!hook.isRecorded) return super.run(hook, context, signal, startMs);
    const { point, component, data, correlationId } = context;
    this.failures.delete(context); // the hooks of a point share it
    return span({ category: "hook", operation: point, attributes: { "llmspell.hook.name": hook.name } }, () =>
      recorded(
        this.recorder,
        { kind: "hook", name: hook.name, input: { point, component, data }, correlationId },
        async () => super.run(hook, context, signal),
        (result) => this.outcome(context, result),
      ),
    );
  }

  override async runAgain(hook: Hook, context: HookContext, signal?: AbortSignal): Promise<HookResult> {
    return this.outcome(context, await super.runAgain(hook, context, signal));
  }

  protected override failed(hook: Hook, context: HookContext, startMs: number, error: unknown): HookResult {
    this.failures.set(context, messageOf(error));
    return super.failed(hook, context, startMs, error);
  }

  /** Where a hook fails the operation goes on, and the recording says why. */
  private outcome(context: HookContext, result: HookResult): HookResult & { error?: string } {
    const error = this.failures.get(context);
    return error === undefined ? result : { ...result, error };
  }
}
