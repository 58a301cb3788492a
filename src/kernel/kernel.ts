/** The composition root: owns the services and answers requests. Every front end reaches scripts, tools and models here. */

import type { LoadedConfig } from "../config/load.ts";
import { createConfigService } from "../config/service.ts";
import { type ErrorJson, errorToJson, SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { dataDirectory } from "../core/paths.ts";
import type { RecorderSource } from "../core/recording.ts";
import { type SpanInput, span } from "../core/span.ts";
import type { EventService } from "../events/service.ts";
import { sendsEvents } from "../events/settings.ts";
import { NO_HOOKS } from "../hooks/none.ts";
import type { HookService } from "../hooks/service.ts";
import type { KernelMetrics } from "../metrics/create.ts";
import type { BackupService } from "../state/backup/service.ts";
import type { MigrationService } from "../state/migration/service.ts";
import { NO_STATE_FIGURES, type StateFigures } from "../state/service.ts";
import type {
  ExecuteReply,
  ExecuteRequest,
  KernelClient,
  KernelReply,
  KernelRequest,
  RequestOptions,
} from "./api.ts";
import { ScriptSession } from "./execution.ts";
import type { ConfigService, Services } from "./services.ts";
import { ToldExecutions } from "./told-executions.ts";

export interface KernelOptions {
  loaded: LoadedConfig;
  log: Log;
  env: Record<string, string | undefined>;
  cwd: string;
  /** Of a kernel that counts from its start; otherwise it does from its first service on. */
  metrics?: KernelMetrics;
  /** Of a kernel that listens: it records in a session of its own. */
  id?: string;
}

type Failure = { status: "error"; error: ErrorJson };

/** A kernel of this process. */
export interface LocalKernel extends KernelClient, Pick<Services, "events" | "activeEvents"> {
  readonly config: ConfigService;
  /** What was done with state until now. */
  stateFigures(): StateFigures;
  activeHooks(): HookService | undefined;
}

export function createKernel(options: KernelOptions): LocalKernel {
  return new Kernel(options);
}

interface Once<T> {
  get(): Promise<T>;
  /** The service where there is one. */
  made(): Promise<T | undefined>;
  /** Whether it was asked for. */
  isWanted(): boolean;
}

/** Remembers the promise of the first call, so that a service is made once. One that could not be made is tried again. */
function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  return {
    get: () => {
      made ??= make().catch((error: unknown) => {
        made = undefined;
        throw error;
      });
      return made;
    },
    made: async () => made?.catch(() => undefined), // told to those who asked for it
    isWanted: () => made !== undefined,
  };
}

class Kernel implements LocalKernel, Services {
  readonly mode = "embedded";
  readonly config: ConfigService;
  readonly log: Log;

  private readonly env: Record<string, string | undefined>;
  private readonly toolService;
  private readonly modelService;
  private readonly agentService;
  private readonly debugService;
  private readonly debugger;
  private readonly storageService;
  private readonly stateService;
  private readonly backupService;
  private readonly migrationService;
  private readonly eventService;
  private readonly hookService;
  private readonly keyService;
  stateFigures = (): StateFigures => NO_STATE_FIGURES;
  private readonly metricsService;
  private readonly telemetry;
  private bus: EventService | undefined;
  private readonly sessionService;
  private readonly recorder: RecorderSource;
  private hooksNow: HookService | undefined;
  private session: ScriptSession | undefined;
  private readonly executions = new ToldExecutions(() => this.bus);
  private ended: Promise<void> | undefined;

  constructor(options: KernelOptions) {
    const { log, env, cwd } = options;
    this.log = log;
    this.env = env;
    this.config = createConfigService(options.loaded);
    this.toolService = once(async () => {
      const { createToolService } = await import("../tools/create.ts");
      await this.metrics();
      return createToolService({
        config: this.config,
        log,
        env,
        cwd,
        recorder: () => this.recorder(),
        hooks: () => this.hooksNow,
      });
    });
    this.modelService = once(async () => {
      const { createModelService } = await import("../models/create.ts");
      await this.metrics();
      return createModelService({
        config: this.config,
        log,
        env,
        dataDirectory: dataDirectory(env),
        keys: await this.keys(),
      });
    });
    this.agentService = once(async () => {
      const { createAgentService } = await import("../agents/create.ts");
      return createAgentService({
        models: () => this.models(),
        tools: () => this.tools(),
        log,
        recorder: () => this.recorder(),
        hooks: () => this.hooksNow,
      });
    });
    this.debugService = once(async () => {
      const { createDebugService } = await import("../debug/create.ts");
      return createDebugService({ config: this.config, log, env });
    });
    this.debugger = once(async () => {
      const { MissingDebugger } = await import("./requests/debug.ts");
      return new MissingDebugger();
    });
    this.storageService = once(async () => {
      const { openStorage } = await import("../storage/storage.ts");
      return openStorage(dataDirectory(env));
    });
    this.stateService = once(async () => {
      const { createStateService } = await import("../state/create.ts");
      const state = await createStateService({
        config: this.config,
        log,
        env,
        storage: () => this.storage(),
        hooks: async () => this.hooksNow ?? NO_HOOKS,
        events: () => this.events(),
      });
      this.stateFigures = () => state.figures();
      const { watchedState } = await import("../state/watched.ts");
      return watchedState(state, () => this.recorder());
    });
    this.backupService = once(async () => {
      const { createBackupService } = await import("../state/backup/backups.ts");
      return createBackupService({
        config: this.config,
        log,
        env,
        cwd,
        state: () => this.state(),
        events: () => this.events(),
        migrations: () => this.migrations(),
      });
    });
    this.migrationService = once(async () => {
      const { createMigrationService } = await import("../state/migration/migrations.ts");
      return createMigrationService({
        config: this.config,
        dataDirectory: dataDirectory(env),
        state: () => this.state(),
        backups: () => this.backups(),
        events: () => this.events(),
        hooks: async () => this.hooksNow ?? NO_HOOKS,
      });
    });
    this.eventService = once(async () => {
      const { createEventService } = await import("../events/create.ts");
      const { withEventHooks } = await import("../hooks/event-points.ts");
      const bus = await createEventService({
        config: this.config,
        log,
        env,
        cwd,
        storage: () => this.storage(),
      });
      this.bus = withEventHooks(bus, () => this.hooksNow);
      return this.bus;
    });
    this.hookService = once(async () => {
      const { createKernelHooks } = await import("./hooks.ts");
      this.hooksNow = await createKernelHooks(
        this,
        () => this.bus,
        () => this.recorder(),
      );
      return this.hooksNow;
    });
    this.keyService = once(async () => {
      const { openKeyStore } = await import("../security/keys/store.ts");
      return openKeyStore({ dataDirectory: dataDirectory(env), env, log });
    });
    this.metricsService = once(async () => {
      if (options.metrics !== undefined) return options.metrics;
      const { KernelMetrics } = await import("../metrics/create.ts");
      return new KernelMetrics(log, () => this.config.current.kernel.execution);
    });
    this.telemetry = once(async () => {
      const { startTelemetry } = await import("../tracing/start.ts");
      return startTelemetry({ env, metrics: await this.metrics(), log });
    });
    this.sessionService = once(async () => {
      const { createSessionService } = await import("../sessions/create.ts");
      const { watchedSessions } = await import("../sessions/watched.ts");
      const sessions = await createSessionService({
        config: this.config,
        log,
        env,
        cwd,
        dataDirectory: dataDirectory(env),
        storage: () => this.storage(),
        tools: () => this.tools(),
        events: () => this.events(),
        hooks: async () => this.hooksNow ?? NO_HOOKS,
        ...(options.id === undefined ? {} : { ownSession: `kernel-session-${options.id}` }),
      });
      return watchedSessions(sessions);
    });
    // A process that has no session of its own records once a script has chosen one.
    this.recorder = () => {
      const { enabled, enable_replay } = this.config.current.runtime.sessions;
      if (!enabled || !enable_replay) return undefined;
      if (options.id === undefined && !this.sessionService.isWanted()) return undefined;
      return this.sessions().then(({ recorder }) => recorder);
    };
  }

  tools() {
    return this.toolService.get();
  }

  models() {
    return this.modelService.get();
  }

  agents() {
    return this.agentService.get();
  }

  debug() {
    return this.debugService.get();
  }

  storage() {
    return this.storageService.get();
  }

  state() {
    return this.stateService.get();
  }

  // These two know each other: the compiler needs to be told.
  backups(): Promise<BackupService> {
    return this.backupService.get();
  }

  migrations(): Promise<MigrationService> {
    return this.migrationService.get();
  }

  events() {
    return this.eventService.get();
  }

  activeEvents() {
    return this.bus;
  }

  hooks() {
    return this.hookService.get();
  }

  keys() {
    return this.keyService.get();
  }

  metrics() {
    return this.metricsService.get();
  }

  sessions() {
    return this.sessionService.get();
  }

  activeHooks() {
    return this.hooksNow;
  }

  request(request: ExecuteRequest, options?: RequestOptions): Promise<ExecuteReply | Failure>;
  request(request: KernelRequest, options?: RequestOptions): Promise<KernelReply>;
  async request(request: KernelRequest, asked: RequestOptions = {}): Promise<KernelReply> {
    const options = { ...asked, id: asked.id ?? crypto.randomUUID() };
    try {
      if (this.ended !== undefined)
        throw new SpellError("internal", "Cannot take a request: the kernel has shut down");
      if (this.isWatched()) await this.telemetry.get();
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

  private async hooked(request: KernelRequest, answer: () => Promise<KernelReply>): Promise<KernelReply> {
    if (this.hooksNow === undefined) return answer();
    const { aroundMessage } = await import("./hooks.ts");
    return aroundMessage(this.hooksNow, request, answer);
  }

  /** Asked before anything is loaded for it: the standard variables name a collector, or steps are to be logged. */
  private isWatched(): boolean {
    const { env } = this;
    const collector =
      env.OTEL_EXPORTER_OTLP_ENDPOINT ||
      env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ||
      env.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT;
    return Boolean(collector) || this.config.current.kernel.execution.enable_tracing;
  }

  /** The configuration switches hooks on that nobody has asked for yet. */
  private wantsHooks(): boolean {
    if (this.hookService.isWanted()) return false;
    const { enabled, builtin } = this.config.current.hooks;
    return enabled && Object.values(builtin).some((section) => section?.enabled);
  }

  private async answer(request: KernelRequest, options: RequestOptions): Promise<KernelReply> {
    switch (request.type) {
      case "execute": {
        this.session ??= new ScriptSession(this, this.env);
        const { session } = this;
        if (sendsEvents(this.config.current)) await this.events();
        return span(executionSpan(request), () => this.executions.tell(request, options, session));
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
        return (await this.debugger.get()).answer(request);
      case "session": {
        const { answerSessionRequest } = await import("./requests/session.ts");
        return answerSessionRequest(request, this, options);
      }
      case "kernel_status":
        throw new SpellError("not_found", "Cannot tell a kernel's status: this command runs its own", {
          hint: "`llmspell kernel list` shows the kernels that run",
        });
    }
  }

  shutdown(): Promise<void> {
    this.ended ??= this.end();
    return this.ended;
  }

  private async end(): Promise<void> {
    if (this.hooksNow !== undefined) {
      const { endWithHooks } = await import("./hooks.ts");
      await endWithHooks(this, this.hooksNow, this.agentService.isWanted());
    }
    await this.session?.dispose();
    const sessions = await this.sessionService.made();
    await sessions?.dispose();
    const tools = await this.toolService.made();
    await tools?.dispose();
    const models = await this.modelService.made();
    await models?.dispose();
    const debug = await this.debugService.made();
    debug?.dispose();
    const state = await this.stateService.made();
    await state?.dispose();
    const events = await this.eventService.made();
    await events?.dispose();
    const storage = await this.storageService.made();
    storage?.close();
    const telemetry = await this.telemetry.made();
    await telemetry?.close();
    const metrics = await this.metricsService.made();
    metrics?.[Symbol.dispose]();
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
