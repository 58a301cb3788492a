/** An executor whose hooks are traced and recorded for replays. */
import { type RecorderSource, recorded } from "../core/recording.ts";
import { span } from "../core/span.ts";
import { Executor, type ExecutorOptions } from "./executor.ts";
import type { Hook } from "./registry.ts";
import type { HookContext, HookResult } from "./service.ts";

export class WatchedExecutor extends Executor {
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
    const { point, component, correlationId } = context;
    const { data } = context;
    return span({ category: "hook", operation: point, attributes: { "llmspell.hook.name": hook.name } }, () =>
      recorded(
        this.recorder,
        { kind: "hook", name: hook.name, input: { point, component, data }, correlationId },
        async () => super.run(hook, context, signal),
        (result) => result,
      ),
    );
  }
}
