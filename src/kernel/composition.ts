/** The services of a kernel, each imported and made when it is first asked for, and ended in order. */

import type { AgentService } from "../agents/service.ts";
import type { LoadedConfig } from "../config/load.ts";
import { createConfigService } from "../config/service.ts";
import { SpellError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { dataDirectory } from "../core/paths.ts";
import { currentRerun, type Recorder } from "../core/recording.ts";
import type { ScriptValue } from "../core/values.ts";
import type { DebugService } from "../debug/service.ts";
import type { EventService } from "../events/service.ts";
import type { EventHooks } from "../hooks/event-points.ts";
import { NO_HOOKS } from "../hooks/none.ts";
import type { HookService } from "../hooks/service.ts";
import type { KernelMetrics } from "../metrics/create.ts";
import type { MetricsRegistry } from "../metrics/registry.ts";
import type { ModelService } from "../models/service.ts";
import type { KeyStore } from "../security/keys/store.ts";
import type { SessionService } from "../sessions/service.ts";
import type { BackupService } from "../state/backup/service.ts";
import type { MigrationService } from "../state/migration/service.ts";
import { NO_STATE_FIGURES, type StateFigures, type StateService } from "../state/service.ts";
import type { Storage } from "../storage/storage.ts";
import type { ToolService } from "../tools/service.ts";
import type { WorkflowService } from "../workflows/service.ts";
import type { ConfigService, Services } from "./services.ts";

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

/** So long events wait at the end for the hooks of scripts. */
const EVENT_HOOKS_MS = 5000;

/** Gives the service, which the first call makes. One that could not be made is tried again. */
interface Once<T> {
  (): Promise<T>;
  /** The service where there is one. */
  made(): Promise<T | undefined>;
  /** Whether it was asked for. */
  isWanted(): boolean;
}

function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return Object.assign(get, {
    made: async () => made?.catch(() => undefined), // told to those who asked for it
    isWanted: () => made !== undefined,
  });
}

export class KernelServices implements Services {
  readonly config: ConfigService;
  readonly log: Log;
  protected readonly env: KernelOptions["env"];
  private readonly common;
  private bus: EventService | undefined;
  private isDryRun = false;
  private hooksNow: HookService | undefined;
  private eventHooks: EventHooks | undefined;
  private recorderNow: Recorder | undefined;

  constructor(private readonly options: KernelOptions) {
    const { log, env, cwd } = options;
    this.log = log;
    this.env = env;
    this.config = createConfigService(options.loaded);
    this.common = { config: this.config, log, env, cwd };
  }

  readonly tools: Once<ToolService> = once(async () => {
    const { createToolService } = await import("../tools/create.ts");
    await this.metrics();
    return createToolService({
      ...this.common,
      recorder: () => this.recorder(),
      hooks: () => this.hooksNow,
    });
  });

  readonly models: Once<ModelService> = once(async () => {
    const { createModelService } = await import("../models/create.ts");
    const { withCalls } = await import("../models/calls/service.ts");
    await this.metrics();
    const models = createModelService({
      ...this.common,
      dataDirectory: dataDirectory(this.env),
      keys: await this.keys(),
    });
    const { recordedModels } = await import("../models/recorded.ts");
    const counted = withCalls(models, { config: () => this.config.current, storage: () => this.storage() });
    return recordedModels(counted, () => this.recorder());
  });

  readonly agents: Once<AgentService> = once(async () => {
    const { createAgentService } = await import("../agents/create.ts");
    const { keptAgents } = await import("./kept-agents.ts");
    const agents = createAgentService({
      models: () => this.models(),
      tools: () => this.tools(),
      log: this.log,
      recorder: () => this.recorder(),
      hooks: () => this.hooksNow,
    });
    return keptAgents(agents, this);
  });

  readonly workflows: Once<WorkflowService> = once(async () => {
    const { createWorkflowService } = await import("../workflows/create.ts");
    const { agentInput } = await import("../globals/agent/input.ts");
    return createWorkflowService({
      log: this.log,
      tools: () => this.tools(),
      agents: () => this.agents(),
      agentInput: (value) => agentInput(value as ScriptValue),
      state: async () => (this.config.current.runtime.state_persistence.enabled ? this.state() : undefined),
      hooks: () => this.hooksNow,
      events: () => this.bus,
      storage: () => this.storage(),
      dataDirectory: this.isDryRun ? undefined : dataDirectory(this.env),
      cwd: this.options.cwd,
    });
  });

  readonly debug: Once<DebugService> = once(async () => {
    const { createDebugService } = await import("../debug/create.ts");
    return createDebugService(this.common);
  });

  readonly debugger = once(async () => {
    const { MissingDebugger } = await import("./requests/debug.ts");
    return new MissingDebugger();
  });

  /** What is stored from now on ends with this kernel. @throws SpellError usage where something has been opened already */
  protected storeNothing(): void {
    if (!this.isDryRun && (this.storage.isWanted() || this.state.isWanted()))
      throw new SpellError("usage", "Cannot begin a dry run: this kernel has opened what is stored", {
        hint: "Begin it in a kernel of its own",
      });
    this.isDryRun = true;
  }

  readonly storage: Once<Storage> = once(async () => {
    const directory = dataDirectory(this.env);
    if (this.isDryRun) return (await import("../storage/copy.ts")).openCopy(directory);
    const { openStorage } = await import("../storage/storage.ts");
    const { database_timeout_seconds } = this.config.current.runtime;
    return openStorage(directory, undefined, database_timeout_seconds * 1000);
  });

  readonly state: Once<StateService> = once(async () => {
    const { createStateService } = await import("../state/create.ts");
    const state = await createStateService({
      ...this.common,
      isDryRun: this.isDryRun,
      storage: () => this.storage(),
      hooks: async () => this.hooksNow ?? NO_HOOKS,
      events: () => this.events(),
    });
    this.stateFigures = () => state.figures();
    const { watchedState } = await import("../state/watched.ts");
    return watchedState(state, () => this.recorder());
  });

  readonly backups: Once<BackupService> = once(async () => {
    const { createBackupService } = await import("../state/backup/backups.ts");
    const backups = createBackupService({
      ...this.common,
      state: () => this.state(),
      events: () => this.events(),
      migrations: () => this.migrations(),
    });
    return this.isDryRun ? (await import("../state/backup/unchanged.ts")).unchangedBackups(backups) : backups;
  });

  readonly migrations: Once<MigrationService> = once(async () => {
    const { createMigrationService } = await import("../state/migration/migrations.ts");
    return createMigrationService({
      config: this.config,
      dataDirectory: dataDirectory(this.env),
      state: () => this.state(),
      backups: () => this.backups(),
      events: () => this.events(),
      hooks: async () => this.hooksNow ?? NO_HOOKS,
    });
  });

  readonly events: Once<EventService> = once(async () => {
    const { createEventService } = await import("../events/create.ts");
    const { watchedEvents } = await import("../events/watched.ts");
    const { EventHooks } = await import("../hooks/event-points.ts");
    const bus = await createEventService({
      ...this.common,
      isDryRun: this.isDryRun,
      storage: () => this.storage(),
    });
    const watched = watchedEvents(bus, () => {
      const found = this.recorder();
      return found && (this.recorderNow ?? found);
    });
    this.eventHooks = new EventHooks(() => this.hooksNow, this.log);
    this.bus = this.eventHooks.around(watched);
    return this.bus;
  });

  readonly hooks: Once<HookService> = once(async () => {
    const { createKernelHooks } = await import("./hooks.ts");
    this.hooksNow = await createKernelHooks(
      this,
      () => this.bus,
      () => this.recorder(),
    );
    return this.hooksNow;
  });

  readonly keys: Once<KeyStore> = once(async () => {
    const { openKeyStore } = await import("../security/keys/store.ts");
    return openKeyStore({ dataDirectory: dataDirectory(this.env), env: this.env, log: this.log });
  });

  readonly metrics: Once<MetricsRegistry & Disposable> = once(async () => {
    if (this.options.metrics !== undefined) return this.options.metrics;
    const { KernelMetrics } = await import("../metrics/create.ts");
    return new KernelMetrics(this.log, () => this.config.current.kernel.execution);
  });

  readonly telemetry = once(async () => {
    const { startTelemetry } = await import("../tracing/start.ts");
    return startTelemetry({ env: this.env, metrics: await this.metrics(), log: this.log });
  });

  readonly sessions: Once<SessionService> = once(async () => {
    const { createSessionService } = await import("../sessions/create.ts");
    const { watchedSessions } = await import("../sessions/watched.ts");
    const sessions = await createSessionService({
      ...this.common,
      isDryRun: this.isDryRun,
      dataDirectory: dataDirectory(this.env),
      storage: () => this.storage(),
      tools: () => this.tools(),
      models: () => this.models(),
      events: () => this.events(),
      hooks: async () => this.hooksNow ?? NO_HOOKS,
      ...(this.options.id === undefined ? {} : { ownSession: `kernel-session-${this.options.id}` }),
    });
    this.recorderNow = sessions.recorder;
    return watchedSessions(sessions);
  });

  stateFigures = (): StateFigures => NO_STATE_FIGURES;

  kernelState(): { execution: "idle" | "busy"; debug: boolean } {
    const { config } = this;
    return {
      execution: this.isExecuting() ? "busy" : "idle",
      debug: config.current.debug.enabled && config.isExplicit("debug.enabled"),
    };
  }

  /** What runs scripts says so. */
  protected isExecuting(): boolean {
    return false;
  }

  activeEvents(): EventService | undefined {
    return this.bus;
  }

  activeHooks(): HookService | undefined {
    return this.hooksNow;
  }

  /** A process that has no session of its own records once a script has chosen one. */
  private recorder(): Promise<Recorder | undefined> | undefined {
    const { enabled, enable_replay } = this.config.current.runtime.sessions;
    if (!enabled || (!enable_replay && currentRerun() === undefined)) return undefined;
    if (this.options.id === undefined && !this.sessions.isWanted()) return undefined;
    return this.sessions().then(({ recorder }) => recorder);
  }

  /** Ends those that were made; `session` is what uses them. */
  protected async endServices(session: { dispose(): Promise<void> } | undefined): Promise<void> {
    if (this.hooksNow !== undefined) {
      const { endWithHooks } = await import("./hooks.ts");
      await endWithHooks(this, this.hooksNow, this.agents.isWanted());
      await this.eventHooks?.end(EVENT_HOOKS_MS);
    }
    await session?.dispose();
    const sessions = await this.sessions.made();
    await sessions?.dispose();
    const tools = await this.tools.made();
    await tools?.dispose();
    const workflows = await this.workflows.made();
    workflows?.dispose();
    const models = await this.models.made();
    await models?.dispose();
    const debug = await this.debug.made();
    debug?.dispose();
    const state = await this.state.made();
    await state?.dispose();
    const events = await this.events.made();
    await events?.dispose();
    const storage = await this.storage.made();
    storage?.close();
    const telemetry = await this.telemetry.made();
    await telemetry?.close();
    const metrics = await this.metrics.made();
    metrics?.[Symbol.dispose]();
  }
}
