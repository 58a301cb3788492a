/** Script sessions: one VM each, its runs, and how services see them. */

import { randomUUID } from "node:crypto";
import { nowMs, steadyMs } from "../core/clock.ts";
import { correlated } from "../core/correlation.ts";
import { type ErrorJson, errorFromJson, SpellError } from "../core/errors.ts";
import { currentSpan, type SpanContext, withinSpan } from "../core/span.ts";
import { currentTape } from "../core/tape.ts";
import { currentTasks, type Task, taskSignal, withTasks } from "../core/task.ts";
import type { EngineHost, ScriptEngine } from "../engine/engine.ts";
import { createLuaEngine } from "../engine/lua/engine.ts";
import { Dispatcher } from "../globals/dispatch.ts";
import { globals } from "../globals/index.ts";
import { isSecretName } from "../security/environment-access.ts";
import type { ExecuteReply, ExecuteRequest, KernelEvent, RequestOptions } from "./api.ts";
import { GatheredEvents } from "./gathered.ts";
import { type ScriptPolicy, scriptPolicy } from "./policy.ts";
import type { RunContext, ScriptVm, Services } from "./services.ts";

/** What the running script is connected to. */
/** One for all: making an error costs more than the rest of what ends an execution. */
const ENDED = new SpellError("interrupted", "The script has ended");

interface Run {
  request: ExecuteRequest;
  options: RequestOptions;
  /** Where nothing is sent piece by piece. */
  gathered: GatheredEvents | undefined;
  id: string;
  abort: AbortController;
  /** What calls of the chunk itself belong to in a trace. */
  span: SpanContext | undefined;
  /** The tasks that the run belongs to: what it calls does too. */
  tasks: readonly Task[];
}

/** The VM of a session, as long as it lives. */
class SessionVm implements ScriptVm {
  private readonly end_ = new AbortController();
  private run = Promise.withResolvers<void>();

  get ended(): AbortSignal {
    return this.end_.signal;
  }

  running(): Promise<void> {
    return this.run.promise;
  }

  resume(): void {
    this.run.resolve();
  }

  pause(): void {
    this.run = Promise.withResolvers();
  }

  end(): void {
    this.end_.abort();
    this.run.resolve();
  }
}

/** One VM. Its globals persist from one execution to the next; executions take turns. */
export class ScriptSession {
  private engine: ScriptEngine;
  private readonly dispatcher: Dispatcher;
  private readonly policy: ScriptPolicy;
  private current: Run | undefined;
  private vm = new SessionVm();
  /** For what the script's functions do between two executions: its hooks and tools may be called then. */
  private last: Run | undefined;
  private readonly ending = new AbortController();
  private turn: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  constructor(
    private readonly services: Services,
    private readonly env: Record<string, string | undefined>,
  ) {
    this.dispatcher = new Dispatcher(globals, services);
    this.policy = scriptPolicy(services.config);
    this.engine = this.createEngine();
  }

  execute(request: ExecuteRequest, options: RequestOptions & { isPeek?: boolean }): Promise<ExecuteReply> {
    this.waiting++;
    const mine = this.turn
      .then(() => this.runOne(request, options))
      .finally(() => {
        this.waiting--;
      });
    this.turn = mine.catch(() => undefined); // told to its own caller
    return mine;
  }

  /** Asks the VM between two executions; undefined while one runs or waits, or where the chunk fails. */
  async peek(chunk: string): Promise<unknown> {
    if (this.waiting > 0) return undefined;
    const args = { script: "", positional: [], named: {} };
    const outcome = await this.execute(
      { type: "execute", code: chunk, name: "peek", args, language: "lua", stream: false },
      { isPeek: true },
    ).catch(() => undefined); // nothing is known then
    return outcome?.value;
  }

  /** Gives the next execution a fresh VM, once those before it have ended. */
  reset(): Promise<void> {
    const mine = this.turn.then(async () => {
      await this.engine.dispose();
      this.services.activeHooks()?.removeScripts();
      this.last = undefined;
      this.engine = this.createEngine();
    });
    this.turn = mine.catch(() => undefined); // told to its own caller
    return mine;
  }

  private createEngine(): ScriptEngine {
    const { engine } = this.policy;
    const policy = currentTape() === undefined ? engine : { ...engine, tapedStartMs: nowMs() };
    return createLuaEngine({ globals, policy, host: this.host() });
  }

  private async runOne(
    request: ExecuteRequest,
    { isPeek = false, ...options }: RequestOptions & { isPeek?: boolean },
  ): Promise<ExecuteReply> {
    const started = steadyMs();
    const { onEvent } = options;
    const streams = onEvent === undefined || this.services.config.current.runtime.enable_streaming;
    const run: Run = {
      request,
      options,
      gathered: streams ? undefined : new GatheredEvents(onEvent),
      id: options.id ?? randomUUID(),
      abort: new AbortController(),
      span: currentSpan(),
      tasks: currentTasks(),
    };
    const interrupt = () => {
      run.abort.abort(options.signal?.reason);
      this.engine.interrupt();
    };
    this.current = run;
    this.vm.resume();
    options.signal?.addEventListener("abort", interrupt, { once: true });
    try {
      if (options.signal?.aborted) throw new SpellError("interrupted", "Interrupted");
      const { name, path, args, code, interactive = false } = request;
      const before = isPeek ? undefined : this.services.activeHooks();
      const outcome = await this.engine.execute({
        code:
          before === undefined
            ? code
            : await (await import("./hooks.ts")).beforeExecution(before, request, code, run.id),
        name,
        args,
        interactive,
        ...(path === undefined ? {} : { path }),
      });
      const after = isPeek ? undefined : this.services.activeHooks();
      if (after !== undefined)
        await (await import("./hooks.ts")).afterExecution(after, request, outcome, run.id);
      if (outcome.error !== undefined) throw errorFromJson(asFailedRun(outcome.error, this.policy));
      const durationMs = steadyMs() - started;
      const { exitCode, heapBytes, value = null } = outcome;
      return {
        status: "ok",
        value,
        durationMs,
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(heapBytes === undefined ? {} : { heapBytes }),
      };
    } finally {
      options.signal?.removeEventListener("abort", interrupt);
      run.gathered?.flush();
      run.abort.abort(ENDED);
      this.current = undefined;
      this.vm.pause();
      if (!isPeek) this.last = { ...run, gathered: undefined, abort: this.ending };
    }
  }

  private host(): EngineHost {
    return {
      call: (target, args, blocked) => {
        const run = this.running();
        const context: RunContext = {
          id: run.id,
          signal: taskSignal(run.abort.signal),
          scriptName: run.request.name,
          args: run.request.args,
          script: scriptOf(run.request),
          resume: run.request.resume,
          emit: (event) => emit(run, event),
          ask: (question) => {
            run.gathered?.flush();
            return run.options.isAttended?.() === true ? run.options.onInput?.(question) : undefined;
          },
          vm: this.vm,
          blockedTasks: blocked,
        };
        const work = () => this.dispatcher.call(target, args, context);
        return correlated(run.id, () =>
          withinSpan(currentSpan() ?? run.span, () => withinRun(run.tasks, work)),
        );
      },
      environment: (name) => (isSecretName(name) ? undefined : this.env[name]),
      // What the script's functions say between two executions goes to the last one's client.
      output: (stream, text) => {
        const run = this.current ?? this.last;
        if (run !== undefined) emit(run, { type: "stream", stream, text });
      },
      room: () => this.current?.options.room?.(),
      vmEnded: () => {
        this.vm.end();
        this.vm = new SessionVm();
        if (this.current !== undefined) this.vm.resume();
      },
      input: async (prompt) => {
        const { options, gathered } = this.running();
        gathered?.flush();
        const { onInput } = options;
        return onInput === undefined ? null : onInput(prompt);
      },
    };
  }

  private running(): Run {
    const run = this.current ?? this.last;
    if (run === undefined)
      throw new SpellError("interrupted", "Cannot call the kernel: the script has ended");
    return run;
  }

  dispose(): Promise<void> {
    this.ending.abort(new SpellError("interrupted", "The kernel has ended"));
    return this.engine.dispose();
  }
}

/** A callback belongs to the tasks of whoever asked for it, and these to the run already. */
function withinRun<T>(tasks: readonly Task[], work: () => T): T {
  const inner = currentTasks();
  if (tasks.length === 0 || inner[0] === tasks[0]) return work();
  return withTasks([...tasks, ...inner], work);
}

function scriptOf({ path, code }: ExecuteRequest): RunContext["script"] {
  return path === undefined ? undefined : { path, code };
}

function emit(run: Run, event: KernelEvent): void {
  if (run.gathered === undefined) run.options.onEvent?.(event);
  else run.gathered.add(event);
}

/** spec/lua-api.md section 20.4. An interrupt is no failure of the script; a limit names the setting to raise. */
function asFailedRun(error: ErrorJson, policy: ScriptPolicy): ErrorJson {
  if (error.code === "interrupted") return error;
  const failed = { ...error, message: `Script execution failed: ${error.message}` };
  const limit = error.code === "limit" ? error.data?.limit : undefined;
  if (limit === "time")
    return { ...failed, message: `${failed.message} (timeout)`, hint: `Raise ${policy.settings.time}` };
  if (limit === "memory") return { ...failed, hint: `Raise ${policy.settings.memory}` };
  return failed;
}
