/** The composition root: owns the services and answers requests. Every front end reaches scripts, tools and models here. */

import { randomId } from "../core/clock.ts";
import { type ErrorJson, errorToJson, SpellError } from "../core/errors.ts";
import { dataDirectory } from "../core/paths.ts";
import { type SpanInput, span } from "../core/span.ts";
import { currentTape } from "../core/tape.ts";
import { sendsEvents } from "../events/settings.ts";
import type { HookService } from "../hooks/service.ts";
import type { StateFigures } from "../state/service.ts";
import type {
  DebugRequest,
  ExecuteReply,
  ExecuteRequest,
  KernelClient,
  KernelReply,
  KernelRequest,
  RequestOptions,
} from "./api.ts";
import { type KernelOptions, KernelServices } from "./composition.ts";
import { ScriptSession } from "./execution.ts";
import type { ConfigService, Services } from "./services.ts";
import { ToldExecutions } from "./told-executions.ts";

type Failure = { status: "error"; error: ErrorJson };

/** A kernel of this process. */
export interface LocalKernel extends KernelClient, Pick<Services, "events" | "activeEvents" | "backups"> {
  readonly config: ConfigService;
  /** What was done with state until now. */
  stateFigures(): StateFigures;
  activeHooks(): HookService | undefined;
}

export function createKernel(options: KernelOptions): LocalKernel {
  return new Kernel(options);
}

class Kernel extends KernelServices implements LocalKernel {
  readonly mode = "embedded";
  private session: ScriptSession | undefined;
  private readonly executions = new ToldExecutions(() => this.activeEvents());
  private ended: Promise<void> | undefined;
  /** Ends the recording or replay of this kernel, where there is one. */
  private tape: (() => void) | undefined;

  request(request: ExecuteRequest, options?: RequestOptions): Promise<ExecuteReply | Failure>;
  request(request: KernelRequest, options?: RequestOptions): Promise<KernelReply>;
  async request(request: KernelRequest, asked: RequestOptions = {}): Promise<KernelReply> {
    const options = { ...asked, id: asked.id ?? crypto.randomUUID() };
    try {
      if (this.ended !== undefined)
        throw new SpellError("internal", "Cannot take a request: the kernel has shut down");
      if (request.type === "execute" && request.calls?.dryRun) this.storeNothing();
      if (this.isWatched(request)) await this.telemetry();
      if (this.wantsHooks()) await this.hooks();
      return await span(messageSpan(request.type, options.id), async (watched) => {
        const reply = await this.hooked(request, () => this.answer(request, options));
        if (reply.status === "error") watched.fail(reply.error.code, reply.error.message);
        return reply;
      });
    } catch (error) {
      if (!(error instanceof SpellError))
        this.log.debug("kernel", "request failed", {
          stack: error instanceof Error ? error.stack : undefined,
        });
      return { status: "error", error: errorToJson(error) };
    }
  }

  protected override isExecuting(): boolean {
    return this.executions.areRunning;
  }

  private async hooked(request: KernelRequest, answer: () => Promise<KernelReply>): Promise<KernelReply> {
    const hooks = this.activeHooks();
    if (hooks === undefined) return answer();
    const { aroundMessage } = await import("./hooks.ts");
    return aroundMessage(hooks, request, answer);
  }

  /** Asked before anything is loaded for it: the standard variables name a collector, or steps are to be logged. */
  private isWatched(request: KernelRequest): boolean {
    const { env } = this;
    // a replay sends nothing
    const calls = request.type === "execute" ? request.calls : undefined;
    if (calls?.replay !== undefined || this.config.current.recording.replay !== undefined) return false;
    const collector =
      env.OTEL_EXPORTER_OTLP_ENDPOINT ||
      env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ||
      env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT;
    return Boolean(collector) || this.config.current.kernel.execution.enable_tracing;
  }

  /** The configuration switches hooks on that nobody has asked for yet. */
  private wantsHooks(): boolean {
    if (this.hooks.isWanted()) return false;
    const { enabled, builtin } = this.config.current.hooks;
    return enabled && Object.values(builtin).some((section) => section?.enabled);
  }

  private async answer(request: KernelRequest, options: RequestOptions): Promise<KernelReply> {
    switch (request.type) {
      case "execute": {
        await this.openTape(request);
        this.session ??= new ScriptSession(this, this.env);
        const { session } = this;
        if (sendsEvents(this.config.current)) await this.events();
        // a recorded run has the same id when it is replayed
        const told = this.tape === undefined ? options : { ...options, id: randomId() };
        const run = () => span(executionSpan(request), () => this.executions.tell(request, told, session));
        const reply = await this.counted(request, told, run);
        currentTape()?.settle();
        return reply;
      }
      case "reset":
        await this.session?.reset();
        return { status: "ok" };
      case "variables": {
        if (this.session === undefined) return { status: "ok", variables: [] };
        const { scriptVariables } = await import("./introspection/variables.ts");
        return { status: "ok", variables: await scriptVariables(this.session) };
      }
      case "is_complete": {
        const { completeness } = await import("./introspection/complete-input.ts");
        return { status: "ok", ...completeness(request.code) };
      }
      case "complete":
      case "inspect": {
        const introspection = await import("./introspection/introspection.ts");
        const peek = (chunk: string) => this.session?.peek(chunk) ?? Promise.resolve(undefined);
        const found = await introspection[request.type](request.code, request.cursor, peek);
        return { status: "ok", ...found };
      }
      case "tool": {
        const { answerToolRequest } = await import("./requests/tool.ts");
        return answerToolRequest(request, this, options);
      }
      case "model": {
        const { answerModelRequest } = await import("./requests/model.ts");
        return answerModelRequest(request, this, options);
      }
      case "state": {
        const { answerStateRequest } = await import("./requests/state.ts");
        return answerStateRequest(request, this, dataDirectory(this.env));
      }
      case "doctor": {
        const { answerDoctorRequest } = await import("./requests/doctor.ts");
        return answerDoctorRequest(this, options);
      }
      case "providers": {
        const { answerProvidersRequest } = await import("./requests/model.ts");
        return answerProvidersRequest(request, this, options);
      }
      case "backup": {
        const { answerBackupRequest } = await import("./requests/backup.ts");
        return answerBackupRequest(request, await this.backups(), options);
      }
      case "migrate": {
        const { answerMigrateRequest } = await import("./requests/migrate.ts");
        return answerMigrateRequest(request, await this.migrations(), options);
      }
      case "keys": {
        const { answerKeysRequest } = await import("./requests/keys.ts");
        return answerKeysRequest(request, await this.keys(), this.env);
      }
      case "serve": {
        const { answerServeRequest } = await import("./serve/serve.ts");
        return answerServeRequest(request, this, options);
      }
      case "debug":
        return this.debugged(request);
      case "session": {
        const { answerSessionRequest } = await import("./requests/session.ts");
        return answerSessionRequest(request, this, options);
      }
      case "workflow": {
        const { answerWorkflowRequest } = await import("./requests/workflow.ts");
        return answerWorkflowRequest(request, await this.workflows());
      }
      case "kernel_status":
        throw new SpellError("not_found", "Cannot tell a kernel's status: this command runs its own", {
          hint: "`llmspell kernel list` shows the kernels that run",
        });
    }
  }

  private async debugged(request: DebugRequest): Promise<KernelReply> {
    const reply = (await this.debugger()).answer(request);
    const hooks = this.activeHooks();
    if (!reply.message.success && hooks?.has("DebugError")) {
      const { tellDebugError } = await import("./hooks.ts");
      await tellDebugError(hooks, reply.message);
    }
    return reply;
  }

  private async counted<T>(
    { calls }: ExecuteRequest,
    { onEvent }: RequestOptions,
    run: () => Promise<T>,
  ): Promise<T> {
    const { current } = this.config;
    if (calls === undefined && Object.keys(current.models.budget).length === 0) return run();
    const { watchesCalls, withRunCalls } = await import("./run-calls.ts");
    if (!watchesCalls(current, calls)) return run();
    return withRunCalls(current, calls, (event) => onEvent?.(event), run);
  }

  /** Before the first script runs: its interpreter reads the clock when it starts. */
  private async openTape({ calls, name }: ExecuteRequest): Promise<void> {
    const { record, replay } = calls ?? {};
    const recording = this.config.current.recording;
    if (this.tape !== undefined || !(record ?? replay ?? recording.record ?? recording.replay)) return;
    const [{ openTape }, { tapeRequest }, { tapeWith }] = await Promise.all([
      import("../tape/open.ts"),
      import("./tape-request.ts"),
      import("../core/tape.ts"),
    ]);
    const keys = await this.keys();
    const { env, log } = this;
    const request = tapeRequest(calls, this.config.current);
    const tape = await openTape(request, { config: this.config.current, env, keys, log, scriptName: name });
    const installed = tapeWith(tape);
    this.tape = () => {
      installed[Symbol.dispose]();
      tape[Symbol.dispose]();
    };
  }

  shutdown(): Promise<void> {
    this.ended ??= this.endServices(this.session).finally(() => this.tape?.());
    return this.ended;
  }
}

function executionSpan({ name, path, interactive, language }: ExecuteRequest): SpanInput {
  return {
    category: "script_runtime",
    operation: "execute",
    attributes: {
      "llmspell.session.type": interactive ? "repl" : path === undefined ? "exec" : "script",
      "llmspell.script.name": name,
      "llmspell.script.path": path,
      "llmspell.script.engine": language,
    },
  };
}

function messageSpan(type: KernelRequest["type"], id: string): SpanInput {
  return {
    category: "transport",
    operation: `${type}_request`,
    attributes: { "llmspell.correlation_id": id },
  };
}
