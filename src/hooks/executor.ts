/** Runs one hook: within its time, past its circuit breaker, measured. What goes wrong in it never leaves here. */
import { steadyMs } from "../core/clock.ts";
import { messageOf, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { areHooksApart } from "../core/recording.ts";
import { currentTasks, runAsTask, type Task } from "../core/task.ts";
import type { EventService } from "../events/service.ts";
import type { Hook } from "./registry.ts";
import type { HookContext, HookResult } from "./service.ts";

export interface ExecutorSettings {
  /** 0: no limit. */
  timeoutMs: number;
  /** Undefined: no limit. */
  callsPerMinute: number | undefined;
  /** Share of an operation's time; undefined: no limit. */
  overheadShare: number | undefined;
}

export interface ExecutorOptions {
  settings: () => ExecutorSettings;
  log: Log;
  /** Where anybody has asked for the bus. */
  events: () => EventService | undefined;
  /** Milliseconds of a steady clock. */
  now?: () => number;
}

const CONTINUE: HookResult = { type: "continue" };
const MINUTE_MS = 60_000;
/** Hooks within hooks: deeper, only immediate ones run. */
const MAX_NESTED = 4;
/** The overhead is judged over so many operations. */
const JUDGED_OPERATIONS = 50;

/** Which hook a task runs, or runs something for. */
const hookOf = new WeakMap<Task, Hook>();

/** Runs what a hook asks for: the hook does not fire for it again. */
export function onBehalfOf<T>(hook: Hook, body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return runAsTask(
    `hook "${hook.name}"`,
    (task) => {
      hookOf.set(task, hook);
      return body();
    },
    signal,
  );
}

export class Executor {
  private readonly now: () => number;
  /** When the last hook that ran at once ended: the next of its chain begins then. */
  endedMs = 0;

  constructor(private readonly options: ExecutorOptions) {
    this.now = options.now ?? steadyMs;
  }

  /** Whether the hook may run here and now; a hook that is passed over is counted. */
  admits(hook: Hook, context: HookContext): boolean {
    if (!hook.immediate && (isWithin(hook) || (hook.isRecorded && areHooksApart()))) return false;
    return this.passes(hook, context);
  }

  /** For a replay. */
  async runAgain(hook: Hook, context: HookContext, signal?: AbortSignal): Promise<HookResult> {
    if (this.passes(hook, context)) return this.run(hook, context, signal);
    return { type: "skipped", reason: "its condition, circuit breaker or rate limit passes it over now" };
  }

  private passes(hook: Hook, context: HookContext): boolean {
    if (hook.condition !== undefined && !this.holds(hook, hook.condition, context)) return false;
    if (hook.breaker?.allows() !== false && this.withinRate(hook)) return true;
    hook.durations.skipped++;
    return false;
  }

  /** @param startMs of the steady clock, where somebody has looked at it: looking costs as much as a built-in hook */
  run(
    hook: Hook,
    context: HookContext,
    signal?: AbortSignal,
    startMs: number = this.now(),
  ): HookResult | Promise<HookResult> {
    this.tellStart(hook, context);
    try {
      const result = hook.immediate ? hook.run(context) : this.runWithin(hook, context, signal);
      if (result instanceof Promise)
        return result.then(
          (value) => this.succeeded(hook, context, startMs, value),
          (error: unknown) => this.failed(hook, context, startMs, error),
        );
      return this.succeeded(hook, context, startMs, result);
    } catch (error) {
      return this.failed(hook, context, startMs, error);
    }
  }

  /** Whether the time of operations matters. */
  get judges(): boolean {
    return this.options.settings().overheadShare !== undefined;
  }

  /** An operation with hooks around it has ended: which of them cost too much? */
  judge(hooks: Iterable<Hook>, operationMs: number): void {
    const { overheadShare } = this.options.settings();
    if (overheadShare === undefined) return;
    for (const { share, breaker, name } of hooks) {
      share.operationMs += operationMs;
      share.operations++;
      if (share.operations < JUDGED_OPERATIONS) continue;
      const measured = share.hookMs / share.operationMs;
      if (measured > overheadShare) {
        breaker?.open();
        this.options.log.warn("hook", "hook switched off for a while: it costs too much", {
          hook: name,
          share: measured,
          allowed: overheadShare,
        });
      }
      Object.assign(share, { hookMs: 0, operationMs: 0, operations: 0 });
    }
  }

  private async runWithin(hook: Hook, context: HookContext, outer: AbortSignal | undefined) {
    const { timeoutMs } = this.options.settings();
    const inner = new AbortController();
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = (reason: unknown) => {
      reject(reason);
      inner.abort(reason);
    };
    const interrupt = () => stop(outer?.reason);
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => stop(timedOut(hook, timeoutMs)), timeoutMs);
    outer?.addEventListener("abort", interrupt, { once: true });
    try {
      if (outer?.aborted) throw outer.reason;
      const work = onBehalfOf(hook, async () => hook.run(context), inner.signal);
      return await Promise.race([work, stopped]);
    } finally {
      clearTimeout(timer);
      outer?.removeEventListener("abort", interrupt);
    }
  }

  private holds(hook: Hook, condition: (context: HookContext) => boolean, context: HookContext): boolean {
    try {
      return condition(context);
    } catch (error) {
      this.logFailure(hook, context, error);
      return false;
    }
  }

  private withinRate(hook: Hook): boolean {
    const { callsPerMinute } = this.options.settings();
    if (callsPerMinute === undefined) return true;
    const now = this.now();
    while (hook.calls.length > 0 && now - hook.calls[0]! >= MINUTE_MS) hook.calls.shift();
    if (hook.calls.length >= callsPerMinute) return false;
    hook.calls.push(now);
    return true;
  }

  private succeeded(
    hook: Hook,
    context: HookContext,
    startMs: number,
    result: HookResult | undefined,
  ): HookResult {
    const durationMs = this.measure(hook, context, startMs);
    hook.breaker?.succeeded(durationMs);
    this.tellEnd(hook, true, durationMs, context);
    return result ?? CONTINUE;
  }

  protected failed(hook: Hook, context: HookContext, startMs: number, error: unknown): HookResult {
    const durationMs = this.measure(hook, context, startMs);
    hook.durations.failures++;
    hook.breaker?.failed();
    this.logFailure(hook, context, error);
    this.tellEnd(hook, false, durationMs, context);
    return CONTINUE;
  }

  private measure(hook: Hook, { timestampMs }: HookContext, startMs: number): number {
    this.endedMs = this.now();
    const durationMs = this.endedMs - startMs;
    // steady time goes on from the beginning of the chain: one look at the clock less
    hook.durations.add(durationMs, timestampMs);
    hook.share.hookMs += durationMs;
    return durationMs;
  }

  private logFailure(hook: Hook, { point, component, correlationId }: HookContext, error: unknown): void {
    this.options.log.withCorrelation(correlationId).warn("hook", "hook failed, the operation goes on", {
      hook: hook.name,
      point,
      component: component.name,
      error: messageOf(error),
    });
  }

  private tellStart(hook: Hook, { point, component, correlationId }: HookContext): void {
    this.options.events()?.publish({
      type: "hook.execution.start",
      source: EXECUTOR,
      correlationId,
      data: {
        hook_name: hook.name,
        hook_language: hook.language,
        component_id: component.id ?? component.name,
        component_type: component.type,
        hook_point: point,
        operation: "hook_execution",
      },
    });
  }

  private tellEnd(hook: Hook, success: boolean, durationMs: number, { correlationId }: HookContext): void {
    this.options.events()?.publish({
      type: "hook.execution.complete",
      source: EXECUTOR,
      correlationId,
      data: { hook_name: hook.name, success, duration_ms: durationMs, operation: "hook_execution" },
    });
  }

  tellBatch(
    { point, component, correlationId }: HookContext,
    hookCount: number,
    resultsCount: number | undefined,
  ): void {
    const bus = this.options.events();
    if (bus === undefined) return;
    const started = resultsCount === undefined;
    bus.publish({
      type: `hook.batch_execution.${started ? "start" : "complete"}`,
      source: EXECUTOR,
      correlationId,
      data: started
        ? {
            hook_count: hookCount,
            component_id: component.id ?? component.name,
            component_type: component.type,
            hook_point: point,
            operation: "batch_execution",
          }
        : { hook_count: hookCount, results_count: resultsCount, operation: "batch_execution" },
    });
  }
}

/** Who speaks in events about hooks; hooks at the points of events do not fire for these. */
export const EXECUTOR = "hook_executor";

/** Whether a hook that takes its time runs this code. */
export const isInHook = (): boolean => currentTasks().some((task) => hookOf.has(task));

/** Whether this code runs within the hook, or too deep within others. */
function isWithin(hook: Hook): boolean {
  let depth = 0;
  for (const task of currentTasks()) {
    const other = hookOf.get(task);
    if (other === hook) return true;
    if (other !== undefined) depth++;
  }
  return depth >= MAX_NESTED;
}

function timedOut(hook: Hook, timeoutMs: number): SpellError {
  return new SpellError("timeout", `Hook "${hook.name}" timed out: hooks.timeout_ms is ${timeoutMs}`, {
    data: { hook: hook.name, timeoutMs },
    hint: "Let the hook do less, or raise hooks.timeout_ms",
  });
}
